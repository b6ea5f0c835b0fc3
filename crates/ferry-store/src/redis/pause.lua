-- Yields no more steps of an account, known or not.
-- KEYS: the namespace.
-- ARGV: the time; the account; the reason.
-- Returns: nothing.

local account = argument()
call('ZADD', key.accounts, 0, account)
local h = load_health(account)
h.pause_reason = argument()
save_health(account, h)
