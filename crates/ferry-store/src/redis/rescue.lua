-- Makes steps due again whose lease has run out, and holds those that ended their worker too often.
-- KEYS: the namespace.
-- ARGV: the time; how many at most; how many lost workers are too many.
-- Returns: how many are due, held, and cancelled; the submissions whose record cannot be understood,
--   whose leases are not looked at again.

local most, poison = number(), number()
local due, held, cancelled, damaged = 0, 0, 0, {}

-- Forgets who holds a step of which nothing more is known.
local function let_go(id)
    local claim = call('GET', key.claim(id))
    if claim then
        local _, kind, _, account = parts_of(claim)
        count_leased(kind, account, -1)
        end_claim(id)
    end
    place(key.leases, id, false)
end

local function rescue(id)
    local r = load(id)
    -- Somebody has removed it by hand.
    if not r then return let_go(id) end
    if not r.leased then
        -- The server ended a script between a record and its indexes.
        place(key.leases, id, false)
        place(key.state(r.state, r.account), id, r.seq)
        schedule(r)
        return
    end
    local new = copy(r)
    new.leased, new.due, new.deliveries = nil, now, r.deliveries + 1
    if r.step == 'upload' then
        -- The attempt was begun, and nobody knows how it ended.
        new.state, new.doubt, new.reason = 'queued', true, 'ambiguous'
        new.text = 'the worker was lost during the upload, which may have arrived'
    end
    -- What has ended cannot be cancelled.
    if r.cancelling and not FINAL[r.state] then
        new = finish(new, 'cancelled', 'cancelled')
        note(new, 'cancelled', 'cancelled')
        cancelled = cancelled + 1
    elseif new.deliveries >= poison and r.step == 'notify' then
        -- The outcome stays what it is.
        note(new, r.state, '`notify` ended its worker ' .. int(new.deliveries) .. ' times in a row')
        new.step, new.resume, new.due, new.deliveries = r.resume, nil, nil, 0
        due = due + 1
    elseif new.deliveries >= poison then
        new.reason = 'poison'
        new.text = '`' .. r.step .. '` ended its worker ' .. int(new.deliveries) .. ' times in a row'
        new.state, new.due, new.deliveries = 'held', nil, 0
        note(new, 'held', new.text)
        held = held + 1
    else
        if new.state ~= r.state then note(new, new.state, new.text) end
        due = due + 1
    end
    save(r, new)
end

local lost = call('ZRANGEBYSCORE', key.leases, '-inf', '(' .. int(now), 'LIMIT', 0, most)
for _, id in ipairs(lost) do
    if not pcall(rescue, id) then
        let_go(id)
        damaged[#damaged + 1] = id
    end
end
settle()
return { due, held, cancelled, damaged }
