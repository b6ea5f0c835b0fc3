-- Reads the time.
-- KEYS: the namespace.
-- ARGV: the time; the start of the caller's machine, or nothing.
-- Returns: the time with its offset; what `clock.lua` stored for that machine.
-- Bounded.

local boot = argument()
return { stamp, boot ~= '' and call('GET', key.machine(boot)) or false }
