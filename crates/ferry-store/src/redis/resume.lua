-- Ends a pause, a throttling and an open breaker, and brings forward what the Platform postponed. Failures in a
-- row stay known until a request succeeds.
-- KEYS: the namespace.
-- ARGV: the time; the account; the duration after which a poll or a fetch counts as postponed; how many of them at
--   most (1000 or less).
-- Returns: whether the account is `known` or `unknown`; whether there was anything to end; how many steps were
--   brought forward.
-- Bounded by that number.

local account, postponed, limit = argument(), later(number()), number()
local before = call('HGET', key.health, account)
if not before and call('TYPE', key.health).ok ~= 'hash' and call('DEL', key.health) == 1 then
    -- Another type of value was there: all accounts begin again.
    before = 'damaged'
end
if not before then return { 'unknown', 0, 0 } end
local h = load_health(account)
save_health(account, { failures = h.failures, failing_since = h.failing_since, last_error = h.last_error })

local moved = 0

-- A record that cannot be understood is moved in the index alone: who claims it says so.
local function bring_forward(index, id)
    local sound, r = pcall(load, id)
    if sound and r and r.due then
        r.due = now
        write(r)
    end
    place(index, id, now_text)
    moved = moved + 1
end

for _, kind in ipairs({ 'poll', 'collect' }) do
    for _, priority in ipairs(PRIORITIES) do
        local index = key.due(kind, priority, account)
        local left = limit - moved
        for _, id in ipairs(call('ZRANGEBYSCORE', index, '(' .. int(postponed), '+inf', 'LIMIT', 0, left)) do
            bring_forward(index, id)
        end
    end
end
anything = true
settle()
local changed = before == 'damaged' or h.pause_reason or h.throttled_until or h.probe
return { 'known', changed and 1 or 0, moved }
