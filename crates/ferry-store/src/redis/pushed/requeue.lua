-- Makes a task that was refused due again.
-- KEYS: the set of scheduled tasks; the hash of refusals; the hash of data.
-- ARGV: the id of the task.
-- Returns: whether it was refused and is still there.
-- Bounded: one task.

if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then return 0 end
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
return 1
