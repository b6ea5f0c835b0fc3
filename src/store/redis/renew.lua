-- Prolongs leases.
-- KEYS: the namespace.
-- ARGV: the time; the span; how many; of each: submission, fence.
-- Returns: for each 1 if it is still held, or 0.
-- Bounded by what is handed over.

local leased_until = later(number())
local held = {}
for n = 1, number() do
    local id, fence = argument(), number()
    local hash = key.submission(id)
    local v = call('HMGET', hash, 'fence', 'lease')
    held[n] = 0
    if numeric(v[2]) and numeric(v[1]) == fence then
        held[n] = 1
        call('HSET', hash, 'lease', int(leased_until))
        place(key.leases, id, leased_until)
    end
end
settle()
return held
