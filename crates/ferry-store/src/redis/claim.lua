-- Leases due steps of one kind: fairly between accounts, within one by priority and due time.
-- KEYS: the namespace.
-- ARGV: the time; the kind; how many at most (1000 or less); the duration of the lease; the policy; the
--   limits; a name of this call; how many, and the names of calls whose responses the caller lost.
-- Returns: the time with its offset; the time to ask again, or empty; the fence; for each step its submission's record; the
--   ids of these; for each upload the mark of its name, if there is one; the ids of records that are damaged,
--   and lose their step; of steps that the caller did not learn of, and whose account is blocked by now: the
--   id, the fence, and the call that claimed them.
-- Bounded by the limit, by what an unacknowledged call claimed, and by the accounts that have steps of the
--   kind: of more than a thousand, those that were served longest ago are read, and the caller claims again
--   soon.

local kind, limit, duration = argument(), number(), number()
local p = policy()
local limits = read_limits()
local this_call = argument()
local LOOK, SOON = 1000, 1000
local leased_text = int(later(duration))
local given, given_ids, marked, damaged = {}, {}, {}, {}
-- Steps that were due, and are so later.
local postponed = 0

-- One number for all that is claimed now, which is higher than those before.
local fence

local function next_fence()
    local number = call('INCR', key.fence)
    if type(number) == 'number' then return int(number) end
    -- The counter is damaged: the time is higher than what it was.
    call('SET', key.fence, now_text)
    return now_text
end

local function give(id, record, word, account)
    fence = fence or next_fence()
    written[key.claim(id)] = claim_of(fence, kind, this_call, word, account)
    place(key.leases, id, leased_text)
    given[#given + 1] = record
    given_ids[#given_ids + 1] = id
    if kind == 'upload' then
        local sound, name = pcall(value_of, record, 'name')
        marked[#given] = name_field(account, sound and name or '')
    end
end

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

local function has_due(other, name)
    for _, priority in ipairs(PRIORITIES) do
        local head = call('ZRANGE', key.due(other, priority, name), 0, 0, 'WITHSCORES')
        if head[2] and tonumber(head[2]) <= now then return true end
    end
    return false
end

-- The steps that ask the Platform.
local ASKING = { 'upload', 'poll', 'collect' }

local function leased_of(name)
    local fields = {}
    for k, of in ipairs(ASKING) do fields[k] = of .. ':' .. name end
    local counts, sum = call('HMGET', key.leased, unpack(fields)), 0
    for k = 1, #ASKING do sum = sum + (tonumber(counts[k] or 0) or 0) end
    return sum
end

-- Steps that this process claimed without learning of it go first. A blocked account may have become so since:
-- these steps are released.
local lost, blocked, left_over = {}, {}, {}
for _ = 1, number() do lost[argument()] = true end
local own_claims = key.unacknowledged(kind, string.match(this_call, '^%w+'))

local function is_blocked(account)
    if kind == 'deliver' then return false end
    local verdict, value = admit(load_health(account), p)
    return verdict == 'blocked' or verdict == 'up_to' and leased_of(account) > value
end

local function adopt(id)
    local claim = call('GET', key.claim(id)) or ''
    local of, caller, word, account = parts_of(claim)
    if of ~= kind or not lost[caller] then return end
    local record = read(key.submission(id))
    if is_blocked(account) then
        left_over[#left_over + 1] = id
        blocked[#blocked + 1] = { id, string.match(claim, '^%d+'), caller }
    elseif #given >= limit then
        left_over[#left_over + 1] = id
    elseif record then
        give(id, record, word, account)
    end
end

if next(lost) then
    for id in string.gmatch(call('GET', own_claims) or '', '%S+') do adopt(id) end
end
local adopted = #given

-- No message says when an upload ends: with as many in flight as allowed, the next look comes soon.
local IN_FLIGHT = 50

-- The limits of an account, and what its 429s show.
local function limits_of(account, health)
    local learned, limits = learned_interval(health), limits[account.name]
    if not learned then return limits end
    limits = limits or {}
    local requests = max(learned, limits.requests or 0)
    return { uploads = limits.uploads, requests = requests, in_flight = limits.in_flight }
end

-- Lowers what an account yields to what its limits leave.
local function within(account)
    local limits = account.limits
    local left, at = limits_available(account.name, limits)
    account.room, account.requests_left = min(account.room, left), left
    if limits.in_flight and left > 0 then
        local uploading = tonumber(call('HGET', key.leased, 'upload:' .. account.name) or 0) or 0
        account.room, at = min(account.room, limits.in_flight - uploading), now + IN_FLIGHT
    end
    if account.room <= 0 then
        account.room, account.admitted, account.reopens = 0, false, at
    end
end

-- Admission of an account: `room` for so many more steps, or, if none, the time at which it `reopens`, if known.
local function admission(account)
    if kind == 'deliver' then
        account.room, account.admitted = limit, true
        return
    end
    local health = load_health(account.name)
    local verdict, value = admit(health, p)
    account.is_probe = verdict == 'up_to' and value == 1
    if verdict == 'open' then
        account.room, account.admitted = limit, true
    elseif verdict == 'up_to' then
        account.room = max(0, value - leased_of(account.name))
        local function is_due(other) return has_due(other, account.name) end
        if account.is_probe and not is_turn(health, kind, p, is_due) then account.room = 0 end
        account.admitted = account.room > 0
        account.reopens = later(p.ramp)
    else
        account.room, account.admitted, account.reopens = 0, false, value
    end
    account.health, account.limits = health, limits_of(account, health)
    if account.limits and account.admitted then within(account) end
end

-- Time at which the next step of an account may be leased, if that is known.
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

-- Time from which the upload of another submission of a name arrives no more; nothing if none may still arrive.
local function waits_for_late(id, account, name)
    local of, last = string.match(call('GET', key.late(account, name)) or '', '^(%S+) (%d+)$')
    return of and of ~= id and tonumber(last) > now and tonumber(last) or nil
end

-- The record with an upload that begins; if it has to wait, nothing, and until when.
local function begin(account, id, record)
    local from, due, _, finished, state, upload_attempts = cmsgpack.unpack_limit(record, field.upload_attempts)
    local _, reason, seq, name = cmsgpack.unpack_limit(record, field.name - field.upload_attempts, from)
    -- Bytes of any kind are numbers to the decoder.
    if type(state) ~= 'string' or type(name) ~= 'string' then error('no record') end
    local last = waits_for_late(id, account.name, name)
    if last then return nil, last end
    local started = cmsgpack.pack(due, now, finished, 'uploading', upload_attempts + 1)
    place(key.state(state, account.name), id, false)
    place(key.state('uploading', account.name), id, int(seq))
    append_event(id, account.name, name, 'uploading', reason ~= '' and reason or nil)
    -- A further try for the same reason does not lengthen the timeline.
    local add_entry = reason == '' and line('uploading', '') or ''
    return started .. string.sub(record, from + 1) .. add_entry
end

local function postpone(id, record, index, due)
    postponed = postponed + 1
    local from = cmsgpack.unpack_limit(record, field.due)
    written[key.submission(id)] = cmsgpack.pack(due) .. string.sub(record, from + 1)
    place(index, id, int(due))
end

-- Leases a step that waits in an index; returns how many requests it makes, or nothing if its record is damaged.
local function lease(account, id, record, index)
    if kind == 'upload' then
        local sound, started, last = pcall(begin, account, id, record)
        if not sound then return nil end
        if last then
            postpone(id, record, index, last)
            return 0
        end
        record = started
        written[key.submission(id)] = record
    end
    give(id, record, 'run', account.name)
    count_leased(kind, account.name, 1)
    if kind ~= 'collect' or not account.limits and not account.health.learned then return 1 end
    local sound, requests = pcall(value_of, record, 'requests')
    return sound and tonumber(requests) or 1
end

-- Leases those steps of a list that the requests left to the account suffice for; returns which they were.
local function take_from(account, ids, index)
    local names, taken = {}, {}
    for n, id in ipairs(ids) do names[n] = key.submission(id) end
    local records = #ids > 0 and call('MGET', unpack(names)) or {}
    for n, id in ipairs(ids) do
        -- A step may make more requests than are left, but none begins without any.
        if account.requests >= account.requests_left then break end
        taken[n] = id
        local requests = records[n] and lease(account, id, records[n], index)
        if requests then
            account.requests = account.requests + requests
        elseif call('EXISTS', names[n]) == 1 then
            damaged[#damaged + 1] = id
        end
    end
    return taken
end

-- The priorities of an account in the order of its steps. A probe is the step due longest: one of a higher
-- priority that always fails must not be every probe.
local function order(account)
    if not account.is_probe then return PRIORITIES end
    local first = 'high'
    for _, priority in ipairs(PRIORITIES) do
        if (account.heads[priority] or FOREVER) < (account.heads[first] or FOREVER) then first = priority end
    end
    return { first }
end

-- Leases up to `share` steps of an account, the most urgent first.
local function take(account, share)
    local wanted = min(share, account.room, limit - #given - postponed)
    account.requests = account.requests or 0
    account.requests_left = account.requests_left or math.huge
    local taken = 0
    for _, priority in ipairs(order(account)) do
        local head = account.heads[priority]
        if taken < wanted and head and head <= now then
            local due = key.due(kind, priority, account.name)
            local ids = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, wanted - taken)
            ids = take_from(account, ids, due)
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

-- Every account gets an equal share, and what some do not use is shared by the others.
while #eligible > 0 and #given + postponed < limit do
    local share = max(1, floor((limit - #given - postponed) / #eligible))
    local left = {}
    for _, account in ipairs(eligible) do
        if take(account, share) then left[#left + 1] = account end
    end
    eligible = left
end
settle()
if #given > 0 or next(lost) then
    -- Until these leases have ended, in case that the response is lost.
    local ids = table.concat(given_ids, ' ') .. ' ' .. table.concat(left_over, ' ')
    call('SET', own_claims, ids, 'PX', int(max(1, min(duration, FOREVER - now))))
end

if serving > 0 then
    local turn = call('INCRBY', key.turn, serving)
    if type(turn) ~= 'number' then
        -- The counter is damaged: the time is higher than what it was.
        turn = now + serving
        call('SET', key.turn, int(turn))
    end
    turn = turn - serving
    for _, account in ipairs(accounts) do
        if account.served then
            call('ZADD', key.waiting(kind), turn + account.served, account.name)
            local sent = account.requests > 0
            if sent and account.limits then record_usage(account.name, account.limits, account.requests) end
            if sent and account.health then count_requests(account.name, account.health, account.requests) end
        end
    end
end

local again = nil
if #given + postponed >= limit then again = now end
for _, account in ipairs(accounts) do
    if account.served then
        look(account)
        if account.limits then admission(account) end
    end
    if not account.some then
        -- It comes back with its next step, and has its turn then as if it had stayed.
        local turn = call('ZSCORE', key.waiting(kind), account.name)
        call('HSET', key.turns, kind .. ':' .. account.name, turn or 0)
        call('ZREM', key.waiting(kind), account.name)
    elseif #given + postponed < limit then
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
return { stamp, again and int(again) or '', fence or '0', given, given_ids, marks, damaged, blocked }
