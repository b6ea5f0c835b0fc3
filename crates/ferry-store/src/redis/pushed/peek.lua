-- Reads the tasks that are due, and leaves them where they are.
-- KEYS: the list of active tasks; the set of scheduled ones; the hash of their data; a lock.
-- ARGV: how many at most (1000 or less); how many bytes of data about; the name of the caller; for how
--   many milliseconds no other process may read; how many bytes a task may have.
-- Returns: `busy` if another process reads; else of each its id and its data, empty if there is none, or
--   the length of data that is too long.
-- Bounded by what is asked for, and one task.

-- An idle queue costs one command.
if redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then return {} end

local limit, bytes, caller = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local largest = tonumber(ARGV[5])
local holder = redis.call('GET', KEYS[4])
if holder and holder ~= caller then return 'busy' end
redis.call('SET', KEYS[4], caller, 'PX', ARGV[4])

local ids = redis.call('LRANGE', KEYS[1], 0, limit - 1)
if #ids < limit then
    local now = redis.call('TIME')[1]
    local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, limit - #ids)
    for _, id in ipairs(due) do ids[#ids + 1] = id end
end

local tasks, read = {}, 0
for _, id in ipairs(ids) do
    local size = redis.call('HSTRLEN', KEYS[3], id)
    local fits = size <= largest
    if fits then read = read + size end
    if read > bytes and #tasks > 0 then break end
    tasks[#tasks + 1] = id
    tasks[#tasks + 1] = fits and (redis.call('HGET', KEYS[3], id) or '') or size
end
return tasks
