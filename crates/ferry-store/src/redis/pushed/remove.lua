-- Removes tasks with all that belongs to them, whether they wait or are dead letters.
-- KEYS: the list of active tasks; the set of scheduled ones; the hash of their data; the hash of
--   dead letters; of each task its metadata.
-- ARGV: the ids of the tasks, in the order of their keys.
-- Returns: how many there were.
-- Bounded by the size of the batch: a task that waits stands near the beginning of its list.

local removed = 0
for n, id in ipairs(ARGV) do
    redis.call('LREM', KEYS[1], 1, id)
    redis.call('ZREM', KEYS[2], id)
    removed = removed + redis.call('HDEL', KEYS[3], id)
    redis.call('HDEL', KEYS[4], id)
    redis.call('DEL', KEYS[4 + n])
end
return removed
