-- Reads submissions for a decision about them, which `save` writes if nothing has changed meanwhile.
-- KEYS: the namespace.
-- ARGV: the time; how many; their ids.
-- Returns: the time; of each nothing, or its record, its claim or empty, the end of its lease or empty,
--   and, if it has failed, of the same account and name an earlier submission that is not final, a newer
--   one that is not, each of them or empty, and the records of newer ones that ended otherwise than rejected.
-- Bounded by what is asked for, and by the newest submissions of a name of which the state is looked at.

local MOST_NEWER = 200

local function ended(index, seq)
    local records = {}
    local newer = call('ZRANGEBYSCORE', index, '-inf', '(-' .. seq, 'LIMIT', 0, MOST_NEWER)
    for _, id in ipairs(newer) do
        local record = read(key.submission(id))
        local sound, state = pcall(value_of, record or '', 'state')
        if sound and state ~= 'rejected' then records[#records + 1] = record end
    end
    return records
end

local function same_name(record)
    local account, name = value_of(record, 'account'), value_of(record, 'name')
    local seq, index = int(value_of(record, 'seq')), key.name(account, name)
    local function first(from, to) return call('ZRANGEBYSCORE', index, from, to, 'LIMIT', 0, 1)[1] or '' end
    return first('1', '(' .. seq), first('(' .. seq, '+inf'), ended(index, seq)
end

local inspected = {}
for n = 1, number() do
    local id = argument()
    local record = read(key.submission(id))
    inspected[n] = {}
    -- A damaged one is returned as it is.
    if not record and call('EXISTS', key.submission(id)) == 1 then record = '' end
    if record then
        local predecessor, unfinished, newer = '', '', {}
        local sound, state = pcall(value_of, record, 'state')
        if sound and state == 'failed' then
            local sound, first, second, third = pcall(same_name, record)
            if sound then predecessor, unfinished, newer = first, second, third end
        end
        local leased = call('ZSCORE', key.leases, id) or ''
        inspected[n] = { record, call('GET', key.claim(id)) or '', leased, predecessor, unfinished, newer }
    end
end
return { stamp, inspected }
