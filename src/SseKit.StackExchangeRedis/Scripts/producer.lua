local op, w, who, fence, duration, retain, take_over = unpack(ARGV)
duration = tonumber(duration)

local function load()
    local fields, loaded = redis.call('HGETALL', lease), {}
    for i = 1, #fields, 2 do loaded[fields[i]] = fields[i + 1] end
    return loaded
end

local function holds_events()
    local page = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 100)
    for i = 1, #page do
        if in_chain(page[i][2]) then return page[i][2][6] ~= '' end
    end
    return false
end

local l, time, granted = load(), now(), 0
local open = l.fence and not l.state
local mine = open and l.fence == fence

if op == 'acquire' then
    local again = open and l.owner == who
    local free = not l.fence and take_over == ''
    local left = open and take_over ~= '' and time >= tonumber(l['until'])
    if free and holds_events() then return { 'taken' } end
    if free or left then
        -- The clock alone would do, had nobody ever set one back.
        local micros = redis.call('TIME')
        local next = math.max(micros[1] * 1000000 + micros[2], (tonumber(l.fence) or 0) + 1)
        redis.call('HSET', lease, 'fence', text(next), 'owner', who)
        if free then redis.call('HSET', lease, 'retain', retain, 'attended', text(time)) end
    end
    if free or left or again then
        granted = 1
        head(w)
        redis.call('HSET', lease, 'until', text(time + duration))
        stay_until(time + duration + tonumber(l.retain or retain))
    end
elseif op == 'renew' and mine then
    redis.call('HSET', lease, 'until', text(time + duration))
    stay_until(time + duration + tonumber(l.retain))
elseif op == 'attend' and open then
    if duration > 0 then
        redis.call('HSET', lease, 'n:' .. who, text(time + duration))
    elseif redis.call('HDEL', lease, 'n:' .. who) == 1 then
        redis.call('HSET', lease, 'attended', text(time))
    end
elseif op == 'stop' and open then
    redis.call('HSET', lease, 'stop', '1')
elseif op == 'release' and mine then
    redis.call('HSET', lease, 'until', '0')
    stay_until(time + tonumber(l.retain))
end

l = load()
if not l.fence then return { 'none' } end
local state = l.state or (time < tonumber(l['until']) and 'running' or 'interrupted')
local attended = tonumber(l.attended)
for field, value in pairs(l) do
    if string.sub(field, 1, 2) == 'n:' then attended = math.max(attended, tonumber(value)) end
end
return { state, l.fence, granted, l.stop and 1 or 0, attended > time and '' or text(time - attended), l['end'] or '' }
