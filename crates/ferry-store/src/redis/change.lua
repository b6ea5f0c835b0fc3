-- What changes a submission without a worker, and what is shown of it.

local function copy(r)
    local c = {}
    for k, v in pairs(r) do c[k] = v end
    return c
end

-- Writes the record and brings the indexes from `old` to `new`, which changed since `load`.
local function save(old, new)
    new.updated = now
    if FINAL[new.state] ~= FINAL[old.state] then new.finished = FINAL[new.state] and now or nil end
    write(new)
    move(old, new)
end

-- `callback` of a submission whose outcome somebody wants to hear; it is 0 where nobody asked for it, and
-- 2 where the receiver wants no more.
local HEARD = 1

-- Ends a submission that no worker holds any more: what is to be saved.
local function finish(r, state, why)
    local new = copy(r)
    new.state, new.due, new.leased, new.blocked = state, nil, nil, false
    new.reason, new.text = 'operator', why
    if state ~= 'failed' then new.step = nil end
    if r.callback == HEARD then
        -- Whoever wants to hear of it is told; a failed one keeps its step, to go on with.
        new.resume, new.step, new.due, new.failures = new.step, 'notify', now, 0
    end
    return new
end

local WAITING = { upload = 'queued', poll = 'processing', collect = 'collecting' }

-- Makes the step that a submission stopped at due, with a clean slate.
local function go_on(r, why, deadline)
    local new = copy(r)
    if r.step == 'notify' then new.step = r.resume end
    new.step, new.resume, new.leased = new.step or 'upload', nil, nil
    new.state, new.due = WAITING[new.step], now
    new.deliveries, new.failures, new.cancelling = 0, 0, false
    new.reason, new.text, new.deadline = 'operator', why, later(deadline)
    return new
end

-- What is needed to show a submission: its record, the end of its lease or empty, the health of its
-- account, the submission that it waits for, and until when its account's rates are used up. An empty
-- array if there is none.
local function show(id)
    local record = read(key.submission(id))
    if not record then return {} end
    local account = value_of(record, 'account')
    local leased = call('ZSCORE', key.leases, id) or ''
    local health = call('HGET', key.health, account) or ''
    local first = value_of(record, 'blocked') and first_of(account, value_of(record, 'name')) or ''
    local spent = call('HMGET', key.spent, 'uploads:' .. account, 'requests:' .. account)
    return { record, leased, health, first, spent[1] or '0', spent[2] or '0' }
end
