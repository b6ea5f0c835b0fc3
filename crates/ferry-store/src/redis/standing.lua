-- Reads where the history of events stands.
-- KEYS: the namespace.
-- ARGV: the number of an event to read, or 0.
-- Returns: the epochs; the number of the newest event; the newest event; the event with that number,
--   empty if it is not retained; the reported loss. Missing ones are empty.
-- Bounded: it reads two ends of a list.

local base, asked = KEYS[1], tonumber(ARGV[1])
local events = base .. 'events'
local values = redis.call('MGET', base .. 'epochs', base .. 'forgotten', base .. 'lost')
local forgotten = tonumber(values[2] or 0) or 0
-- A list that is damaged is as good as none.
local length = redis.pcall('LLEN', events)
if type(length) ~= 'number' then return { values[1] or '', forgotten, '', '', values[3] or '' } end
local newest = forgotten + length
local there = asked > forgotten and asked <= newest and redis.call('LINDEX', events, asked - newest - 1)
return { values[1] or '', newest, redis.call('LINDEX', events, -1) or '', there or '', values[3] or '' }
