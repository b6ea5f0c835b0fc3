-- Prolongs leases.
-- KEYS: the namespace.
-- ARGV: the time; the span; how many; of each: submission, fence.
-- Returns: for each 1 if it is still held, or 0.
-- Bounded by what is handed over.

local leased_until = int(later(number()))
local ids, fences, names, held = {}, {}, {}, {}
for n = 1, number() do
    ids[n], fences[n] = argument(), argument()
    names[n] = key.claim(ids[n])
end
if #ids == 0 then return held end
for n, claim in ipairs(call('MGET', unpack(names))) do
    held[n] = has_fence(claim, fences[n]) and 1 or 0
    if held[n] == 1 then place(key.leases, ids[n], leased_until) end
end
settle()
return held
