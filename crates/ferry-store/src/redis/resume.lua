-- Ends a pause, a throttling and an open breaker.
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
call('HSET', key.health, account, '')
anything = true
settle()
return before == '' and '0' or '1'
