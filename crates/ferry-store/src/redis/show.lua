-- What is shown of a submission.

-- What is needed to show a submission: its record, the end of its lease or empty, the health of its
-- account, the submission that it waits for, and until when its account's rates are used up. An empty
-- array if there is none.
local function show(id)
    local record = read(key.submission(id))
    if not record then return {} end
    local account = value_of(record, 'account')
    local leased = call('ZSCORE', key.leases, id) or ''
    local health = call('HGET', key.health, account) or ''
    local first = value_of(record, 'has_predecessor') and first_of(account, value_of(record, 'name')) or ''
    local limit_usage = call('HMGET', key.limit_usage, 'uploads:' .. account, 'requests:' .. account)
    return { record, leased, health, first, limit_usage[1] or '0', limit_usage[2] or '0' }
end
