-- Saves the heartbeat of a process, and forgets processes that are silent.
-- KEYS: the namespace.
-- ARGV: the time; the process; its heartbeat, or empty if it ends; the duration after which a silent one is
--   forgotten; the most that are listed.
-- Returns: nothing.
-- Bounded: it forgets a few at a time, and each process calls it every few seconds.

local AT_ONCE = 100

local function forget(ids)
    if #ids == 0 then return end
    call('HDEL', key.processes, unpack(ids))
    call('ZREM', key.heartbeats, unpack(ids))
end

local id, heartbeat, silent, most = argument(), argument(), number(), number()
if heartbeat == '' then return forget({ id }) end
call('HSET', key.processes, id, heartbeat)
call('ZADD', key.heartbeats, now_text, id)
forget(call('ZRANGEBYSCORE', key.heartbeats, '-inf', '(' .. int(now - silent), 'LIMIT', 0, AT_ONCE))
local beyond = min(call('ZCARD', key.heartbeats) - most, AT_ONCE)
if beyond > 0 then forget(call('ZRANGE', key.heartbeats, 0, beyond - 1)) end
