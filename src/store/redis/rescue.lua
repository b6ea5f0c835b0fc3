-- Makes steps due again whose lease has run out, and holds those that ended their worker too often.
-- KEYS: the namespace.
-- ARGV: the time; how many at most; how many lost workers are too many.
-- Returns: how many are due, held, and cancelled.

local most, poison = number(), number()
local due, held, cancelled = 0, 0, 0

local function rescue(id)
    local r = load(id)
    if not r then
        -- Somebody has removed it by hand.
        place(key.leases, id, false)
        return
    end
    if not r.leased then
        -- The server ended a script between a record and its indexes.
        place(key.leases, id, false)
        place(key.state(r.state, r.account), id, r.seq)
        schedule(r)
        return
    end
    local new, fields = copy(r), {}
    new.leased, new.due = nil, now
    if r.step == 'upload' then
        -- The attempt was begun, and nobody knows how it ended.
        new.state = 'queued'
        fields = {
            doubt = '1',
            why = 'ambiguous',
            text = 'the worker was lost during the upload, which may have arrived',
        }
    end
    if r.cancelling then
        local in_doubt = fields.doubt
        new, fields = finish(new, 'cancelled', 'cancelled')
        fields.doubt = in_doubt
        note(id, 'cancelled', 'cancelled')
        cancelled = cancelled + 1
    elseif r.deliveries >= poison and r.step == 'notify' then
        -- The outcome stays what it is.
        note(id, r.state, '`notify` ended its worker ' .. int(r.deliveries) .. ' times in a row')
        new.step, new.resume, new.due, new.deliveries = r.resume, nil, nil, 0
        due = due + 1
    elseif r.deliveries >= poison then
        fields.why = 'poison'
        fields.text = '`' .. r.step .. '` ended its worker ' .. int(r.deliveries) .. ' times in a row'
        new.state, new.due, new.deliveries = 'held', nil, 0
        held = held + 1
    else
        due = due + 1
    end
    if new.state ~= r.state and not r.cancelling then
        note(id, new.state, fields.text)
    end
    save(r, new, fields)
end

local lost = call('ZRANGEBYSCORE', key.leases, '-inf', '(' .. int(now), 'LIMIT', 0, most)
for _, id in ipairs(lost) do rescue(id) end
settle()
return { due, held, cancelled }
