-- Reads the size of a result or of the feedback.
-- KEYS: the namespace.
-- ARGV: the time; the id of the submission; the key of the result.
-- Returns: the size; nothing if there is none.
-- Bounded by one field, of which only the beginning is sent.

local content = call('HGET', key.contents(argument()), argument())
if not content then return false end
-- The content type, if there is one, stands before the size: see `blob_format.rs`.
local at = 9
if #content >= 8 then at = at + max(struct.unpack('<I8', content) - 1, 0) end
-- What is damaged is found when it is read.
if #content < at + 7 then return '0' end
return int(struct.unpack('<I8', content, at))
