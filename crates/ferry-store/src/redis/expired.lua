-- Reads the steps whose lease has run out, for a decision about them, which `save` writes.
-- KEYS: the namespace.
-- ARGV: the time; how many at most.
-- Returns: the time; of each: the submission, its record, its claim.
-- Bounded by what is asked for. What has no record or no claim is put right here: nothing is to decide.

local found = {}

local function look(id)
    local record, claim = read(key.submission(id)), claim_on(id)
    if record and claim then
        found[#found + 1] = { id, record, claim }
        return
    end
    if record then
        -- The server ended a script between a record and its indexes.
        local sound, r = pcall(parse, record)
        if not sound or r.state == 'uploading' then
            -- The claim is damaged or gone: an upload may have begun.
            found[#found + 1] = { id, record, '' }
            return
        end
        place(key.state(r.state, r.account), id, r.seq)
        schedule(r)
    end
    drop_claim(id, claim)
end

local lost = call('ZRANGEBYSCORE', key.leases, '-inf', '(' .. int(now), 'LIMIT', 0, number())
for _, id in ipairs(lost) do look(id) end
settle()
return { stamp, found }
