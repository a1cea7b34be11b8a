-- A topic is one stream, and its events are a chain in it: each names the one before. An entry of the chain begins with the fields
--   v  format version: the three fields named here are the same in every version
--   w  what the publisher made unique; with the id that Redis gave, it is the event's id: <ms>-<seq>-<w>
--   p  the id of the event before; empty in the first entry of a topic, its origin, which is no event
-- and goes on with
--   t  the type of the event; f  its frame; k  its key, where it has one. What else there is a later version may have added: it is skipped.
-- Whatever else somebody put into the stream is not of the chain: it is skipped, and linked over.
local key = KEYS[1]

local function in_chain(f)
    return #f >= 6 and f[1] == 'v' and f[3] == 'w' and f[5] == 'p'
        and #f[4] > 0 and #f[4] <= 22 and #f[6] <= 64
        and not string.find(f[4], '[^%w._-]') and not string.find(f[6], '[^%w._-]')
end

local function id_of(entry)
    return entry[1] .. '-' .. entry[2][4]
end

-- The newest of the chain. A topic that has none begins with its origin: what a reader of the empty topic is given to go on from.
local function head(w)
    local below, count = '+', 1
    while true do
        local page = redis.call('XREVRANGE', key, below, '-', 'COUNT', count)
        for i = 1, #page do
            if in_chain(page[i][2]) then return id_of(page[i]) end
        end
        if #page < count then break end
        below, count = '(' .. page[#page][1], 100
    end
    return redis.call('XADD', key, '*', 'v', '1', 'w', w, 'p', '') .. '-' .. w
end

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function ms(id)
    return tonumber(string.match(id, '^%d+'))
end

-- Nothing that comes after the event is stored may fail the script: the publisher would take it for not stored.
local function keep(expiry)
    if expiry ~= '0' then redis.pcall('PEXPIRE', key, expiry) end
end
