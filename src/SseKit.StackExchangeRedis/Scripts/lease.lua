-- A topic that belongs to a producer has its lease beside it: a hash under a second key of the same slot. Both expire at the same moment.
--   fence, owner    who may publish
--   until           when that ends unless it is renewed, in ms; 0 once it was given up
--   retain          how long both keys stay after that, or after the end, in ms
--   stop            there once it is to stop
--   attended        when it last was read, or began, in ms; n:<node> until when a node has readers of it
--   state, end      there once it has ended: how, and the id of its end
local lease = KEYS[2]

local function text(number)
    return string.format('%.0f', number)
end

local function stay_until(at)
    redis.pcall('PEXPIREAT', key, text(at))
    redis.pcall('PEXPIREAT', lease, text(at))
end
