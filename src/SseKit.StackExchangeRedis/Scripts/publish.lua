-- What all events of one step share, and then four arguments for each: what its publisher made unique, its type, its
-- frame, its key.
local trim, max_events, max_age, expiry, channel, elapsed, fence, outcome = unpack(ARGV, 1, 8)
local from, each = 9, 4
local count = (#ARGV - from + 1) / each

-- The ids of events that are here already. They lie side by side, since nothing comes between the steps of a script; the first of them may have
-- been trimmed.
local function stored(last)
    local entries = redis.call('XREVRANGE', key, last, '-', 'COUNT', count)
    local answer = { '?' }
    if #entries == count then
        answer = { entries[count][2][6] }
        for i = count, 1, -1 do answer[#answer + 1] = id_of(entries[i]) end
    end
    return answer
end

-- Sent again, because the answer to the first attempt was lost `elapsed` ms ago or less: it may be there already. What is searched goes back
-- five seconds further than that, for a clock that was set or a replica's that differs.
if elapsed ~= '' then
    local w = ARGV[#ARGV - each + 1]
    local since = now() - elapsed - 5000
    local below, first, done = '+', nil, false
    while not done do
        local page = redis.call('XREVRANGE', key, below, '-', 'COUNT', 100)
        for i = 1, #page do
            first = page[i]
            if in_chain(first[2]) and first[2][4] == w and first[2][6] ~= '' then return stored(first[1]) end
            if ms(first[1]) < since then done = true break end
        end
        if #page < 100 and not done then
            -- All of the stream is younger than the first attempt: if it was trimmed meanwhile, the event may have been in what went.
            if first and not (in_chain(first[2]) and first[2][6] == '') then return { '?' } end
            done = true
        end
        if first then below = '(' .. first[1] end
    end
end

-- A topic with a lease is its holder's alone, until it is to stop, and nobody's after its end.
local fence_now, ended, stop, retain = unpack(redis.call('HMGET', lease, 'fence', 'state', 'stop', 'retain'))
if (fence_now or '') ~= fence or ended or (stop and outcome == '') or (fence == '' and outcome ~= '') then return { '!' } end

local previous = head(ARGV[from])
local answer = { previous }
for i = from, #ARGV, each do
    local w, event_type, frame, event_key = unpack(ARGV, i, i + each - 1)
    local fields = { 'v', '1', 'w', w, 'p', previous, 't', event_type, 'f', frame }
    if event_key ~= '' then
        fields[#fields + 1] = 'k'
        fields[#fields + 1] = event_key
    end
    local id
    if fence == '' then
        id = redis.call('XADD', key, 'MAXLEN', trim, max_events, '*', unpack(fields))
    else
        -- All of it is kept: every reader of a producer sees the whole.
        id = redis.call('XADD', key, '*', unpack(fields))
    end
    previous = id .. '-' .. w
    answer[#answer + 1] = previous
end
if fence == '' then
    if max_age ~= '0' then redis.pcall('XTRIM', key, 'MINID', '~', string.format('%.0f', math.max(0, ms(previous) - max_age))) end
    keep(expiry)
elseif outcome ~= '' then
    redis.call('HSET', lease, 'state', outcome, 'end', previous)
    stay_until(now() + retain)
end
redis.pcall('PUBLISH', channel, '')
return answer
