-- Gives the store a new epoch, because an operator acknowledged that data of the last one is lost.
-- KEYS: the namespace.
-- ARGV: the new epoch; how many epochs are remembered.
-- Returns: nothing.

local base = KEYS[1]
local before = redis.pcall('GET', base .. 'epochs')
if type(before) ~= 'string' then before = '-' end
-- Of an empty store no process may have seen the epoch.
if redis.call('EXISTS', base .. 'events') == 0 then before = before .. ' -' end
local epochs = { ARGV[1] }
for epoch in string.gmatch(before, '%S+') do
    if #epochs < tonumber(ARGV[2]) then epochs[#epochs + 1] = epoch end
end
redis.call('SET', base .. 'epochs', table.concat(epochs, ' '))
redis.call('DEL', base .. 'lost')
