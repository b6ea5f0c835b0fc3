-- Writes submissions that were decided about elsewhere, each if nothing has changed it meanwhile.
-- KEYS: the namespace.
-- ARGV: the time of the decisions; whether they are about leases that had run out then, and count only if
--   these were not renewed; how many; of each: the submission; the digest of its record and its claim or
--   empty, as they were read; the record and the claim, or empty, that follow; the effect on its name, or
--   empty; the span in which its upload may still arrive, or empty.
-- Returns: for each 1; or 0 if it has changed, so that it has to be decided about again.
-- Bounded by the size of the batch.

local of_expired = flag()

-- True if one that ended may stand among those of its name again, as the decision took them to be.
local function fits_its_name(new)
    local index = key.name(new.account, new.name)
    local newer = call('ZRANGEBYSCORE', index, '(' .. int(new.seq), '+inf', 'LIMIT', 0, 1)
    return #newer == 0 and (first_of(new.account, new.name) ~= nil) == new.has_predecessor
end

local function save(id, digest, claim, record, next_claim, effect, late)
    local stored = read(key.submission(id))
    if not stored or redis.sha1hex(stored) ~= digest then return 0 end
    local old, new = parse(stored), parse(record)
    old.leased = claim_on(id)
    if (old.leased or '') ~= claim then return 0 end
    if of_expired and (tonumber(call('ZSCORE', key.leases, id) or 0) or 0) >= now then return 0 end
    if FINAL[old.state] and not FINAL[new.state] and not fits_its_name(new) then return 0 end
    written[key.submission(id)] = record
    mark_name(effect, id, new.account, new.name)
    mark_late(late, id, new.account, new.name)
    if next_claim == '' then
        -- Of a damaged claim the lease is left.
        if not old.leased then place(key.leases, id, false) end
        move(old, new)
    elseif next_claim ~= claim then
        written[key.claim(id)] = next_claim
    end
    return 1
end

local saved = {}
for n = 1, number() do
    saved[n] = save(argument(), argument(), argument(), argument(), argument(), argument(), number())
end
settle()
return saved
