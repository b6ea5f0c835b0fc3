-- Forgets the owners of steps of which nothing more can be known: their records cannot be understood.
-- KEYS: the namespace.
-- ARGV: the time; how many; of each: the submission; its claim, as it was read.
-- Returns: nothing.
-- Bounded by the size of the batch.

for _ = 1, number() do
    local id, claim = argument(), argument()
    if (claim_on(id) or '') == claim then drop_claim(id, claim) end
end
settle()
