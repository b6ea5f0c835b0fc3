-- Leases due steps of one kind: fairly between accounts, within one by priority and due time.
-- KEYS: the namespace.
-- ARGV: the time; the kind; how many at most (1000 or less); the span of the lease; the policy; the
--   budgets; a name of this call; how many, and the names of calls whose answers the caller did not
--   hear.
-- Returns: the time; the time to ask again, or empty; for each step its submission's hash,
--   an array of names and values in MessagePack, in which the later of two values counts.
-- Bounded by the limit, by the two thousand leases that end first, where an answer was not heard, and
--   by the accounts that have steps of the kind: of more than a thousand,
--   those that were served longest ago are looked at, and the caller is told to ask again soon.

local kind, limit, span = argument(), number(), number()
local p = policy()
local budgets = read_budgets()
local this_call = argument()
local LOOK, SOON, LEASES = 1000, 1000, 2000
local leased_until = later(span)
local claims = {}

-- One string is answered, and read, much faster than an array of many.
local function give(id, fields)
    fields[#fields + 1] = 'id'
    fields[#fields + 1] = id
    claims[#claims + 1] = cmsgpack.pack(fields)
end

-- What the caller has leased before without hearing of it goes first.
local lost = {}
for _ = 1, number() do lost[argument()] = true end
if next(lost) then
    for _, id in ipairs(call('ZRANGE', key.leases, 0, LEASES - 1)) do
        local v = call('HMGET', key.submission(id), 'by', 'step')
        if #claims < limit and lost[v[1]] and v[2] == kind then
            call('HSET', key.submission(id), 'lease', int(leased_until), 'by', this_call)
            place(key.leases, id, leased_until)
            give(id, call('HGETALL', key.submission(id)))
        end
    end
end
local adopted = #claims

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
local function within(account, budget)
    local left, at = budget_left(account.name, budget)
    account.room = min(account.room, left)
    if budget.in_flight and left > 0 then
        local uploading = tonumber(call('HGET', key.leased, 'upload:' .. account.name) or 0)
        account.room, at = min(account.room, budget.in_flight - uploading), now + IN_FLIGHT
    end
    if account.room <= 0 then
        account.room, account.admitted, account.reopens = 0, false, at
    end
end

-- What an account yields now: `room` for so many more, or, if none, perhaps when it `reopens`.
local function admission(account)
    if kind == 'notify' then
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
    local budget = budgets[account.name]
    if budget and account.admitted then within(account, budget) end
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

local accounts, hungry = {}, {}
for _, name in ipairs(names) do
    local account = { name = name }
    accounts[#accounts + 1] = account
    look(account)
    if account.some then
        admission(account)
        local due = false
        for _, head in pairs(account.heads) do due = due or head <= now end
        if due and account.admitted then hungry[#hungry + 1] = account end
    end
end

local serving = 0

-- Leases a step; answers how many requests it will make. An index may name a submission that somebody
-- has removed by hand.
local function lease(id)
    local hash = key.submission(id)
    local fields, r = call('HGETALL', hash), {}
    for n = 1, #fields, 2 do r[fields[n]] = fields[n + 1] end
    if not r.seq then return 0 end
    local set = {
        'lease', int(leased_until), 'fence', int((numeric(r.fence) or 0) + 1),
        'dlv', int((numeric(r.dlv) or 0) + 1), 'by', this_call,
    }
    if kind == 'upload' then
        for n, v in ipairs({ 'state', 'uploading', 'upd', int(now), 'att', int((numeric(r.att) or 0) + 1) }) do
            set[8 + n] = v
        end
        place(key.state(r.state, r.acct), id, false)
        place(key.state('uploading', r.acct), id, r.seq)
        tell(id, r.acct, r.name, 'uploading', r.why)
        -- A further try for the same reason does not lengthen the timeline.
        if not r.why then note(id, 'uploading', '') end
    end
    call('HSET', hash, unpack(set))
    place(key.leases, id, leased_until)
    count_leased(kind, r.acct, 1)
    -- A later value counts.
    for _, v in ipairs(set) do fields[#fields + 1] = v end
    give(id, fields)
    return kind == 'collect' and not r.rej and numeric(r.ask) or 1
end

-- Leases up to `share` steps of an account, the most urgent first.
local function take(account, share)
    local wanted = min(share, account.room, limit - #claims)
    local taken = 0
    for _, priority in ipairs(PRIORITIES) do
        local head = account.heads[priority]
        if taken < wanted and head and head <= now then
            local due = key.due(kind, priority, account.name)
            local ids = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, wanted - taken)
            for _, id in ipairs(ids) do account.requests = (account.requests or 0) + lease(id) end
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
while #hungry > 0 and #claims < limit do
    local share = max(1, floor((limit - #claims) / #hungry))
    local left = {}
    for _, account in ipairs(hungry) do
        if take(account, share) then left[#left + 1] = account end
    end
    hungry = left
end
settle()

if #claims > adopted then
    local turn = call('INCRBY', key.turn, serving) - serving
    for _, account in ipairs(accounts) do
        if account.served then
            call('ZADD', key.waiting(kind), turn + account.served, account.name)
            local budget = budgets[account.name]
            if budget then spend_budget(account.name, budget, account.requests) end
        end
    end
end

local again = nil
if #claims >= limit then again = now end
for _, account in ipairs(accounts) do
    if account.served then
        look(account)
        if budgets[account.name] then admission(account) end
    end
    if not account.some then
        -- It comes back with its next step, and has its turn then as if it had stayed.
        local turn = call('ZSCORE', key.waiting(kind), account.name)
        call('HSET', key.turns, kind .. ':' .. account.name, turn)
        call('ZREM', key.waiting(kind), account.name)
    elseif #claims < limit then
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

return { int(now), again and int(again) or '', claims }
