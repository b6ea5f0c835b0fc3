-- Removes submissions that ended long ago, with all that they had.
-- KEYS: the namespace.
-- ARGV: the time; the retention; how many at most.
-- Returns: how many were removed.

local before, most = now - number(), number()
local old = call('ZRANGEBYSCORE', key.finished, '-inf', '(' .. int(before), 'LIMIT', 0, most)
for _, id in ipairs(old) do
    local r = load(id)
    local pieces, n = {}, 1
    local piece = call('HGET', key.submission(id), 'w1')
    while piece do
        pieces[n] = piece
        n = n + 1
        piece = call('HGET', key.submission(id), 'w' .. n)
    end
    local rest = cjson.decode(table.concat(pieces))
    for name, value in pairs(rest.labels) do place(key.label(name, value), id, false) end
    if rest.idempotency_key then call('DEL', key.idempotency(r.account, rest.idempotency_key)) end
    unschedule(r)
    place(key.all, id, false)
    place(key.finished, id, false)
    place(key.state(r.state, r.account), id, false)
    call('ZREM', key.name(r.account, r.name), id)
    call('UNLINK', key.submission(id), key.payload(id), key.contents(id), key.timeline(id))
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
