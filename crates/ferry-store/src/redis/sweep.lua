-- Removes submissions that ended long ago, with all that they had.
-- KEYS: the namespace.
-- ARGV: the time; the retention; how many at most.
-- Returns: how many were removed.

local before, most = now - number(), number()
local old = call('ZRANGEBYSCORE', key.finished, '-inf', '(' .. int(before), 'LIMIT', 0, most)

local function forget(id)
    local r = load(id)
    local _, rest = cmsgpack.unpack_one(r.rest)
    local labels, idempotency = rest[1], rest[2]
    for name, value in pairs(labels) do place(key.label(name, value), id, false) end
    if idempotency then call('DEL', key.idempotency(r.account, idempotency)) end
    unschedule(r)
    place(key.state(r.state, r.account), id, false)
    call('ZREM', key.name(r.account, r.name), id)
end

for _, id in ipairs(old) do
    -- One that cannot be understood, or that somebody has removed by hand, must not keep the others.
    pcall(forget, id)
    place(key.all, id, false)
    place(key.finished, id, false)
    call('UNLINK', key.submission(id), key.payload(id), key.contents(id))
end

-- Of the events that are as old, the last one stays: after it the next is found.
local events = call('LRANGE', key.events, 0, FORGOTTEN)
local aged = 0
while aged < #events - 1 and tonumber(string.match(events[aged + 1], '^%d+')) < before do
    aged = aged + 1
end
if aged > 0 then forget_events(aged) end
settle()
return #old
