-- Reads a dataset, or a result.
-- KEYS: the namespace.
-- ARGV: the time; the submission; `payload`, or `content` and its key.
-- Returns: the bytes, or nil if there are none.

local id, what = argument(), argument()
if what == 'payload' then return call('GET', key.payload(id)) end
return call('HGET', key.contents(id), argument())
