-- Reads a timeline.
-- KEYS: the namespace.
-- ARGV: the time; the submission.
-- Returns: when it was accepted, or empty if it is not there; the lines after the first.

local id = argument()
local born = call('HGET', key.submission(id), 'born')
return { born or '', call('LRANGE', key.timeline(id), 0, TIMELINE) }
