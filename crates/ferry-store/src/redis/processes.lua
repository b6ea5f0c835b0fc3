-- Reads the processes that use the namespace.
-- KEYS: the namespace.
-- ARGV: the time; how many at most.
-- Returns: the time; of each its id, the time of its last heartbeat, and the heartbeat, empty if there is none;
--   the newest first.
-- Bounded by what is asked for.

local newest = call('ZRANGE', key.heartbeats, -number(), -1, 'WITHSCORES')
local processes = {}
for n = #newest - 1, 1, -2 do
    local id, at = newest[n], newest[n + 1]
    processes[#processes + 1] = { id, at, call('HGET', key.processes, id) or '' }
end
return { stamp, processes }
