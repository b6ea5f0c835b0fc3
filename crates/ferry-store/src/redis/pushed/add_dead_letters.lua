-- Makes tasks dead letters, each with a reason; their data stays, so that they can be pushed again.
-- KEYS: the list of active tasks; the set of scheduled ones; the hash of dead letters.
-- ARGV: of each task its id and the reason, as JSON.
-- Returns: nothing.
-- Bounded by the size of the batch.

for n = 1, #ARGV, 2 do
    redis.call('LREM', KEYS[1], 1, ARGV[n])
    redis.call('ZREM', KEYS[2], ARGV[n])
    redis.call('HSET', KEYS[3], ARGV[n], ARGV[n + 1])
end
