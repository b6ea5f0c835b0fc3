-- Reads the processes that use the namespace.
-- KEYS: the namespace.
-- ARGV: the time; how many at most.
-- Returns: the time; of each the time of its last heartbeat, and the heartbeat; the newest first.
-- Bounded by what is asked for.

local newest = call('ZRANGE', key.heartbeats, -number(), -1, 'WITHSCORES')
local processes = {}
for n = #newest - 1, 1, -2 do
    local heartbeat = call('HGET', key.processes, newest[n])
    if heartbeat then processes[#processes + 1] = { newest[n + 1], heartbeat } end
end
return { stamp, processes }
