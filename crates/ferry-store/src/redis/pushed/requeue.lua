-- Makes a dead letter due again.
-- KEYS: the set of scheduled tasks; the hash of dead letters; the hash of data.
-- ARGV: the id of the task.
-- Returns: 1 if it was a dead letter and its data is still there, or 0.
-- Bounded: one task.

if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then return 0 end
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
return 1
