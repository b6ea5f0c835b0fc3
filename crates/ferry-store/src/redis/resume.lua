-- Ends a pause, a throttling and an open breaker. Failures in a row stay known until a request succeeds.
-- KEYS: the namespace.
-- ARGV: the time; the account.
-- Returns: `unknown`, or whether there was anything to end.

local account = argument()
local before = call('HGET', key.health, account)
if not before and call('TYPE', key.health).ok ~= 'hash' and call('DEL', key.health) == 1 then
    -- Another type of value was there: all accounts begin again.
    before = 'damaged'
end
if not before then return 'unknown' end
local h = load_health(account)
save_health(account, { failures = h.failures, failing_since = h.failing_since, last_error = h.last_error })
anything = true
settle()
local changed = before == 'damaged' or h.pause_reason or h.throttled_until or h.probe
return changed and '1' or '0'
