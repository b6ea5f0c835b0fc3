-- Extends leases.
-- KEYS: the namespace.
-- ARGV: the time; the duration; how many; of each: the submission, its lease.
-- Returns: for each 1 if it is still owned, or 0.
-- Bounded by the size of the batch.

local leased_until = int(later(number()))
local ids, leases, names, owned = {}, {}, {}, {}
for n = 1, number() do
    ids[n], leases[n] = argument(), argument()
    names[n] = key.claim(ids[n])
end
if #ids == 0 then return owned end
for n, claim in ipairs(call('MGET', unpack(names))) do
    owned[n] = has_lease(claim, leases[n]) and 1 or 0
    if owned[n] == 1 then place(key.leases, ids[n], leased_until) end
end
settle()
return owned
