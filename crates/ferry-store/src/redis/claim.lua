-- Leases due steps of one kind: fairly between accounts, within one by priority and due time.
-- KEYS: the namespace.
-- ARGV: the time; the kind; how many at most (1000 or less); the span of the lease; the policy; the
--   budgets; a name of this call; how many, and the names of calls whose answers the caller did not
--   hear.
-- Returns: the time; the time to ask again, or empty; the fence; for each step its submission's record; for
--   each upload the mark of its name, if there is one.
-- Bounded by the limit, by the two thousand leases that end first, where an answer was not heard, and
--   by the accounts that have steps of the kind: of more than a thousand,
--   those that were served longest ago are looked at, and the caller is told to ask again soon.

local kind, limit, duration = argument(), number(), number()
local p = policy()
local limits = read_limits()
local this_call = argument()
local LOOK, SOON, LEASES = 1000, 1000, 2000
local leased_text = int(later(duration))
local given, marked = {}, {}

-- One number for all that is claimed now, which is higher than those before.
local fence

local function give(id, record, word, account)
    fence = fence or int(call('INCR', key.fence))
    written[key.claim(id)] = claim_of(fence, kind, this_call, word, account)
    place(key.leases, id, leased_text)
    given[#given + 1] = record
    if kind == 'upload' then
        local sound, name = pcall(value_of, record, 'name')
        marked[#given] = name_field(account, sound and name or '')
    end
end

-- What the caller has leased before without hearing of it goes first.
local lost = {}
for _ = 1, number() do lost[argument()] = true end
if next(lost) then
    local ids = call('ZRANGE', key.leases, 0, LEASES - 1)
    local held = {}
    for n, id in ipairs(ids) do held[n] = key.claim(id) end
    if #ids > 0 then held = call('MGET', unpack(held)) end
    for n, id in ipairs(ids) do
        local of, caller, word, account = parts_of(held[n] or '')
        local record = of == kind and lost[caller] and read(key.submission(id))
        if record and #given < limit then give(id, record, word, account) end
    end
end
local adopted = #given

-- The accounts with steps, those that were served longest ago first.
local names = call('ZRANGE', key.waiting(kind), 0, LOOK - 1)

-- The earliest due time by priority, and whether there is any.
local function look(account)
    account.heads, account.some = {}, false
    for _, priority in ipairs(PRIORITIES) do
        local head = call('ZRANGE', key.due(kind, priority, account.name), 0, 0, 'WITHSCORES')
        account.heads[priority] = tonumber(head[2])
        account.some = account.some or head[2] ~= nil
    end
end

-- The steps that ask the Platform.
local ASKING = { 'upload', 'poll', 'collect' }

local function leased_of(name)
    local fields = {}
    for k, of in ipairs(ASKING) do fields[k] = of .. ':' .. name end
    local counts, sum = call('HMGET', key.leased, unpack(fields)), 0
    for k = 1, #ASKING do sum = sum + tonumber(counts[k] or 0) end
    return sum
end

-- Nothing tells when an upload ends: with as many in flight as allowed, the next look comes soon.
local IN_FLIGHT = 50

-- Lowers what an account yields to what its budget leaves.
local function within(account, limits)
    local left, at = limits_available(account.name, limits)
    account.room = min(account.room, left)
    if limits.in_flight and left > 0 then
        local uploading = tonumber(call('HGET', key.leased, 'upload:' .. account.name) or 0)
        account.room, at = min(account.room, limits.in_flight - uploading), now + IN_FLIGHT
    end
    if account.room <= 0 then
        account.room, account.admitted, account.reopens = 0, false, at
    end
end

-- What an account yields now: `room` for so many more, or, if none, perhaps when it `reopens`.
local function admission(account)
    if kind == 'deliver' then
        account.room, account.admitted = limit, true
        return
    end
    local verdict, value = admit(load_health(account.name), p)
    if verdict == 'open' then
        account.room, account.admitted = limit, true
    elseif verdict == 'up_to' then
        account.room = max(0, value - leased_of(account.name))
        account.admitted = account.room > 0
        account.reopens = later(p.ramp)
    else
        account.room, account.admitted, account.reopens = 0, false, value
    end
    local limits = limits[account.name]
    if limits and account.admitted then within(account, limits) end
end

-- When the next step of an account may be leased, if that is known.
local function next_of(account)
    local soonest
    for _, priority in ipairs(PRIORITIES) do
        local due, at = account.heads[priority], nil
        if due and account.admitted then
            -- What is due already waits for a ramp.
            at = due <= now and later(p.ramp) or due
        elseif due and account.reopens then
            at = max(account.reopens, due)
        end
        if at and (not soonest or at < soonest) then soonest = at end
    end
    return soonest
end

local accounts, eligible = {}, {}
for _, name in ipairs(names) do
    local account = { name = name }
    accounts[#accounts + 1] = account
    look(account)
    if account.some then
        admission(account)
        local due = false
        for _, head in pairs(account.heads) do due = due or head <= now end
        if due and account.admitted then eligible[#eligible + 1] = account end
    end
end

local serving = 0

-- The record with an upload that begins.
local function begin(account, id, record)
    local from, due, _, finished, state, upload_attempts = cmsgpack.unpack_limit(record, field.upload_attempts)
    local _, reason, seq, name = cmsgpack.unpack_limit(record, field.name - field.upload_attempts, from)
    local started = cmsgpack.pack(due, now, finished, 'uploading', upload_attempts + 1)
    place(key.state(state, account.name), id, false)
    place(key.state('uploading', account.name), id, int(seq))
    append_event(id, account.name, name, 'uploading', reason ~= '' and reason or nil)
    -- A further try for the same reason does not lengthen the timeline.
    local add_entry = reason == '' and line('uploading', '') or ''
    return started .. string.sub(record, from + 1) .. add_entry
end

-- Leases a step; answers how many requests it will make. Of a record that cannot be understood the
-- caller has to tell.
local function lease(account, id, record)
    if kind == 'upload' then
        local sound, started = pcall(begin, account, id, record)
        if sound then
            record = started
            written[key.submission(id)] = record
        end
    end
    give(id, record, 'run', account.name)
    if kind ~= 'collect' or not limits[account.name] then return 1 end
    local sound, requests = pcall(value_of, record, 'requests')
    return sound and requests or 1
end

-- Leases up to `share` steps of an account, the most urgent first.
local function take(account, share)
    local wanted = min(share, account.room, limit - #given)
    local taken = 0
    for _, priority in ipairs(PRIORITIES) do
        local head = account.heads[priority]
        if taken < wanted and head and head <= now then
            local due = key.due(kind, priority, account.name)
            local ids = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, wanted - taken)
            local records = {}
            for n, id in ipairs(ids) do records[n] = key.submission(id) end
            if #ids > 0 then records = call('MGET', unpack(records)) end
            for n, id in ipairs(ids) do
                -- An index may name a submission that somebody has removed by hand.
                if records[n] then
                    account.requests = (account.requests or 0) + lease(account, id, records[n])
                    count_leased(kind, account.name, 1)
                end
            end
            if #ids > 0 then call('ZREM', due, unpack(ids)) end
            taken = taken + #ids
        end
    end
    account.room = account.room - taken
    if taken > 0 then
        serving = serving + 1
        account.served = serving
    end
    return taken == wanted and account.room > 0
end

-- Everybody gets an equal share, and what some do not use is shared by the others.
while #eligible > 0 and #given < limit do
    local share = max(1, floor((limit - #given) / #eligible))
    local left = {}
    for _, account in ipairs(eligible) do
        if take(account, share) then left[#left + 1] = account end
    end
    eligible = left
end
settle()

if #given > adopted then
    local turn = call('INCRBY', key.turn, serving) - serving
    for _, account in ipairs(accounts) do
        if account.served then
            call('ZADD', key.waiting(kind), turn + account.served, account.name)
            local limits = limits[account.name]
            if limits then record_usage(account.name, limits, account.requests) end
        end
    end
end

local again = nil
if #given >= limit then again = now end
for _, account in ipairs(accounts) do
    if account.served then
        look(account)
        if limits[account.name] then admission(account) end
    end
    if not account.some then
        -- It comes back with its next step, and has its turn then as if it had stayed.
        local turn = call('ZSCORE', key.waiting(kind), account.name)
        call('HSET', key.turns, kind .. ':' .. account.name, turn)
        call('ZREM', key.waiting(kind), account.name)
    elseif #given < limit then
        local at = next_of(account)
        if at and (not again or at < again) then again = at end
    end
end
if #names == LOOK then
    -- Those that yield nothing must not hide the others for ever.
    local turn = call('GET', key.turn) or 0
    for _, account in ipairs(accounts) do
        if account.admitted == false then
            call('ZADD', key.waiting(kind), 'XX', turn, account.name)
        end
    end
    again = min(again or FOREVER, now + SOON)
end

local marks = #marked > 0 and call('HMGET', key.name_marks, unpack(marked)) or {}
return { int(now), again and int(again) or '', fence or '0', given, marks }
