-- Reads what is shown of a submission.

-- The facts that explain a record: the end of its lease or empty, the health of its account, the submission that it
-- waits for, until when its account's rates are used up, and the upload of its name that may still arrive or
-- empty.
local function explain(id, record)
    local account = value_of(record, 'account')
    local leased = call('ZSCORE', key.leases, id) or ''
    local health = call('HGET', key.health, account) or ''
    local first = value_of(record, 'has_predecessor') and first_of(account, value_of(record, 'name')) or ''
    local limit_usage = call('HMGET', key.limit_usage, 'uploads:' .. account, 'requests:' .. account)
    local late = value_of(record, 'state') == 'queued'
        and call('GET', key.late(account, value_of(record, 'name')))
    return { record, leased, health, first, limit_usage[1] or '0', limit_usage[2] or '0', late or '' }
end

-- A submission: its record and what explains it. An empty array if there is none; the reason alone if it
-- has no record that could be returned. Of a damaged record nothing is explained.
local function show(id)
    local record = read(key.submission(id))
    if not record then
        if call('EXISTS', key.submission(id)) == 0 then return {} end
        return { 'it is no string' }
    end
    local sound, shown = pcall(explain, id, record)
    if sound then return shown end
    return { record, '', '', '', '0', '0', '' }
end
