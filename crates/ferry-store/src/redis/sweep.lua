-- Removes submissions that ended long ago, with all that they had.
-- KEYS: the namespace.
-- ARGV: the time; the retention; how many at most.
-- Returns: how many were removed.

local before, most = now - number(), number()
local old = call('ZRANGEBYSCORE', key.finished, '-inf', '(' .. int(before), 'LIMIT', 0, most)

local function forget(id)
    local r = load(id)
    local _, cold = cmsgpack.unpack_one(r.rest)
    for name, value in pairs(cold[1]) do place(key.label(r.account, name, value), id, false) end
    if r.key then call('DEL', key.idempotency(r.account, string.sub(r.key, 2))) end
    unschedule(r)
    place(key.state(r.state, r.account), id, false)
    call('ZREM', key.name(r.account, r.name), id)
end

-- State and account of a damaged record are unknown: all of them are searched.
local ACCOUNTS = 200
local function forget_damaged(id)
    for _, account in ipairs(call('ZRANGE', key.accounts, 0, ACCOUNTS - 1)) do
        for state in pairs(FINAL) do place(key.state(state, account), id, false) end
    end
end

for _, id in ipairs(old) do
    -- A damaged record, or one that was removed by hand, must not keep the others.
    if not pcall(forget, id) then forget_damaged(id) end
    place(key.all, id, false)
    place(key.finished, id, false)
    call('UNLINK', key.submission(id), key.payload(id), key.contents(id))
end

-- Of the events that are as old, the last one stays: after it the next is found.
local events = call('LRANGE', key.events, 0, FORGOTTEN)
local aged = 0
while aged < #events - 1 and tonumber(string.match(events[aged + 1], '^%d+') or 0) < before do
    aged = aged + 1
end
if aged > 0 then forget_events(aged) end
settle()
return #old
