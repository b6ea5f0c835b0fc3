-- Reads the time.
-- KEYS: the namespace.
-- ARGV: the time.
-- Returns: the time with its offset.
-- Bounded.

return stamp
