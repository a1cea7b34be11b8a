local after, after_w, max, max_age, expiry, w = unpack(ARGV)
max = tonumber(max)

-- A topic with a lease keeps all that it has for as long as the lease says, however much it is read.
local fence, ending = unpack(redis.call('HMGET', lease, 'fence', 'end'))
local answer = { head(w), 0, now(), '' }
if ending and ending == answer[1] then answer[4] = '1' end
if fence then
    max_age = '0'
else
    keep(expiry)
end
if max == 0 then return answer end

-- An id is known only if the very entry is here: Redis would go on from any place between two, and from the future.
local start = '-'
if after ~= '' then
    local entry = redis.call('XRANGE', key, after, after)[1]
    if entry and in_chain(entry[2]) and entry[2][4] == after_w then start = '(' .. after end
end
if max_age ~= '0' then
    local oldest = now() - max_age
    if start == '-' or ms(after) < oldest then start = string.format('%.0f', math.max(0, oldest)) end
end

local events, bytes = 0, 0
while events < max and bytes < 1048576 do
    local count = math.min(max - events, 64)
    local page = redis.call('XRANGE', key, start, '+', 'COUNT', count)
    for i = 1, #page do
        local f = page[i][2]
        if not in_chain(f) then
            answer[2] = answer[2] + 1
        elseif f[6] ~= '' then
            local field = {}
            for j = 7, #f, 2 do field[f[j]] = f[j + 1] end
            for _, part in ipairs({ id_of(page[i]), f[6], f[2], field.t or '', field.f or '', field.k or '' }) do
                answer[#answer + 1] = part
            end
            events = events + 1
            bytes = bytes + #(field.f or '')
        end
    end
    if #page < count then break end
    start = '(' .. page[#page][1]
end
return answer
