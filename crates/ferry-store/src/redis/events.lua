-- Reads what changed.
-- KEYS: the namespace.
-- ARGV: the time; the event after which to begin; how many at most.
-- Returns: how many events were forgotten; how many there were in all; the events; the epochs; the offset of
--   the clock.
-- Bounded by what is asked for; the list is walked from its nearer end.

local after, most = number(), number()
local forgotten = tonumber(call('GET', key.forgotten) or 0) or 0
local length = call('LLEN', key.events)
local first = max(after - forgotten, 0)
local events = {}
if most > 0 and first < length then
    events = call('LRANGE', key.events, int(first), int(first + most - 1))
end
return { forgotten, forgotten + length, events, call('GET', key.epochs) or '', int(offset) }
