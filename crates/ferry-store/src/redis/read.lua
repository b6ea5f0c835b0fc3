-- Reads submissions.
-- KEYS: the namespace.
-- ARGV: the time; how many; their ids.
-- Returns: the time; of each what `show` gives.
-- Bounded by what is asked for.

local shown = {}
for n = 1, number() do shown[n] = show(argument()) end
return { stamp, shown }
