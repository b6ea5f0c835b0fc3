-- What every script begins with: the time, a submission's record, and the indexes that follow it.

local call = redis.call
local floor, min, max = math.floor, math.min, math.max

-- A whole number as text: Lua's own way loses digits.
local function int(number) return string.format('%.0f', number) end

-- The last millisecond that Ferry can express.
local FOREVER = 8210266876799999

-- ARGV[1] is the time in milliseconds, or empty for the server's own.
local now = tonumber(ARGV[1])
if not now then
    local time = call('TIME')
    now = tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000)
end

local now_text = int(now)

local function later(span) return min(now + span, FOREVER) end

-- ARGV[2] holds all other arguments, an array in MessagePack: one is taken in much faster than many.
-- They are read one after the other.
local arguments, position = cmsgpack.unpack(ARGV[2]), 0
local function argument()
    position = position + 1
    return arguments[position]
end
local function number() return tonumber(argument()) end
local function flag() return argument() == '1' end

local FINAL = { completed = true, rejected = true, failed = true, cancelled = true }
local WAITING = { upload = 'queued', poll = 'processing', collect = 'collecting' }
local KINDS = { 'upload', 'poll', 'collect', 'notify' }
local PRIORITIES = { 'high', 'normal', 'low' }

-- Changes are put off, so that a batch makes one call of each kind: strings by key; by key of an index
-- which members to take out, and then which scores and members to put in; by field how much a counter of
-- leased steps changes; by submission who holds its step, `false` for nobody any more.
local written, placed, leased_more, claims = {}, {}, {}, {}

local function read(name) return written[name] or call('GET', name) end

local function place(index, member, score)
    local changes = placed[index]
    if not changes then
        changes = { out = {}, into = {} }
        placed[index] = changes
    end
    if score then
        local into = changes.into
        into[#into + 1] = score
        into[#into + 1] = member
    else
        local out = changes.out
        out[#out + 1] = member
    end
end

local function count_leased(kind, account, more)
    local name = kind .. ':' .. account
    leased_more[name] = (leased_more[name] or 0) + more
end

-- The indexes of due steps among them, of which somebody may have to hear.
local due_indexes = {}

-- Workers to wake when the script has ended: the earliest new due time of each kind, or anything.
local woken, anything = {}, false

-- Workers sleep until the first due time that they saw: only an earlier one is worth a message.
local function greet(index, kind, account, soonest)
    local head = tonumber(call('ZRANGE', index, 0, 0, 'WITHSCORES')[2])
    if not head then
        local turn = call('HGET', key.turns, kind .. ':' .. account) or 0
        call('ZADD', key.waiting(kind), 'NX', turn, account)
    end
    if not head or soonest < head then woken[kind] = min(woken[kind] or soonest, soonest) end
end

-- So many arguments of one call: an even number that Lua can unpack.
local MOST = 2000

-- Calls with the values of an array, as many at once as Lua can unpack.
local function call_with(command, name, values)
    for n = 1, #values, MOST do
        call(command, name, unpack(values, n, min(n + MOST - 1, #values)))
    end
end

local function write_index(index, changes)
    local into, due = changes.into, due_indexes[index]
    call_with('ZREM', index, changes.out)
    if due and #into > 0 then
        local soonest = into[1]
        for n = 3, #into, 2 do soonest = min(soonest, into[n]) end
        greet(index, due.kind, due.account, soonest)
    end
    call_with('ZADD', index, into)
end

-- What changed, in its order: told at once, so that a batch makes one call.
local told = {}

local function tell(id, account, name, state, why)
    told[#told + 1] = now_text .. ' ' .. id .. ' ' .. state .. ' ' .. (why or '-') .. ' ' .. #account
        .. ' ' .. account .. name
end

local EVENTS, FORGOTTEN = 100000, 1000

local function forget_events(count)
    call('LTRIM', key.events, count, -1)
    call('INCRBY', key.forgotten, count)
end

local function write_events()
    for n = 1, #told, MOST do
        local length = call('RPUSH', key.events, unpack(told, n, min(n + MOST - 1, #told)))
        if length >= EVENTS + FORGOTTEN then forget_events(length - EVENTS) end
    end
end

-- Whoever holds a step no more is forgotten before it is due again, and whoever holds one now is told
-- last: a server that ends a script in between leaves a lease that nobody holds, which `rescue` finds.
local function write_claims(wanted)
    local changed = {}
    for id, claim in pairs(claims) do
        if wanted and claim then
            changed[#changed + 1] = id
            changed[#changed + 1] = claim
        elseif not wanted and not claim then
            changed[#changed + 1] = id
        end
    end
    call_with(wanted and 'HSET' or 'HDEL', key.claims, changed)
end

local function write_strings()
    local pairs_of = {}
    for name, value in pairs(written) do
        pairs_of[#pairs_of + 1] = name
        pairs_of[#pairs_of + 1] = value
    end
    for n = 1, #pairs_of, MOST do call('MSET', unpack(pairs_of, n, min(n + MOST - 1, #pairs_of))) end
end

-- To be called last by every script that changes something.
local function settle()
    write_events()
    write_claims(false)
    write_strings()
    for index, members in pairs(placed) do write_index(index, members) end
    for name, more in pairs(leased_more) do
        if more ~= 0 then call('HINCRBY', key.leased, name, more) end
    end
    write_claims(true)
    local message = {}
    for kind, due in pairs(woken) do message[#message + 1] = kind .. ':' .. int(due) end
    if anything then message = { 'all' } end
    if #message > 0 then call('PUBLISH', key.wake, table.concat(message, ' ')) end
end

-- A submission is one string of values in MessagePack: first its head, what scripts act on, in this
-- order; then what only `record.rs` reads; then the lines of its timeline. Where there is nothing, a time
-- is -1, and a text empty.
local HEAD = {
    'due', 'updated', 'finished', 'state', 'attempts', 'reason', 'seq', 'name', 'account', 'priority',
    'step', 'resume', 'text', 'failures', 'deliveries', 'requests', 'callback', 'overwrite', 'blocked',
    'cancelling', 'doubt', 'created', 'deadline', 'done', 'digest', 'id',
}
local field = {}
for place_in, name in ipairs(HEAD) do field[name] = place_in end

-- One value of a head.
local function value_of(record, name)
    return (select(field[name] + 1, cmsgpack.unpack_limit(record, field[name])))
end

-- A line of a timeline.
local function line(state, why) return cmsgpack.pack({ now, state, why }) end

-- Who holds a step, as a text: the fence, the kind, a name of the call, and whether to stop then.
local function claim_of(fence, kind, caller, stop)
    return fence .. ' ' .. kind .. ' ' .. caller .. (stop and ' stop' or '')
end

-- Whether a claim, if there is one, has this fence, which is a text.
local function has_fence(claim, fence)
    return claim and string.sub(claim, 1, #fence + 1) == fence .. ' '
end

local function is_to_stop(claim) return string.sub(claim, -5) == ' stop' end

-- A submission as scripts act on it; nil if there is none.
local function load(id)
    local record = read(key.submission(id))
    if not record then return nil end
    local head = { cmsgpack.unpack_limit(record, #HEAD) }
    local r = { rest = string.sub(record, head[1] + 1) }
    for place_in, name in ipairs(HEAD) do
        local value = head[place_in + 1]
        if value ~= '' and value ~= -1 then r[name] = value end
    end
    local claim = call('HGET', key.claims, id)
    r.leased = claim or nil
    return r
end

local NONE = { due = -1, finished = -1, step = '', resume = '', reason = '', text = '', done = '' }

local function write(r)
    local head = {}
    for place_in, name in ipairs(HEAD) do
        local value = r[name]
        if value == nil then value = NONE[name] end
        head[place_in] = value
    end
    written[key.submission(r.id)] = cmsgpack.pack(unpack(head)) .. r.rest
end

-- Adds a line to the timeline of what is to be saved. Those that are too many are removed with a commit.
local function note(r, state, why) r.rest = r.rest .. line(state, why) end

-- The index in which a step waits.
local function index_of(r)
    if r.blocked then return key.blocked(r.account) end
    local index = key.due(r.step, r.priority, r.account)
    due_indexes[index] = due_indexes[index] or { kind = r.step, account = r.account }
    return index
end

-- Takes a submission out of where its step waits or is leased.
local function unschedule(r)
    if r.leased then
        place(key.leases, r.id, false)
        count_leased(r.step, r.account, -1)
        claims[r.id] = false
    elseif r.due then
        place(index_of(r), r.id, false)
    end
end

-- Puts it where its step waits.
local function schedule(r)
    if r.due then place(index_of(r), r.id, r.due) end
end

-- The earliest submission of a Name that is not final.
local function first_of(account, name)
    return call('ZRANGEBYSCORE', key.name(account, name), 1, '+inf', 'LIMIT', 0, 1)[1]
end

-- The earliest submission that waited for this one waits no more; one that cannot be understood must not
-- keep this one from its end.
local function free_name(r)
    local first = first_of(r.account, r.name)
    if not first then return end
    local sound, freed = pcall(load, first)
    if sound and freed and freed.blocked then
        unschedule(freed)
        freed.blocked = false
        freed.due = max(freed.due, now)
        write(freed)
        schedule(freed)
    end
end

-- Moves a submission from `old` to `new`, both as `load` gives them, in everything but its record.
local function move(old, new)
    unschedule(old)
    schedule(new)
    if old.state == new.state then return end
    tell(new.id, new.account, new.name, new.state, new.reason)
    place(key.state(old.state, old.account), old.id, false)
    place(key.state(new.state, new.account), new.id, new.seq)
    local was, is = FINAL[old.state], FINAL[new.state]
    if is and not was then
        place(key.finished, new.id, now)
        -- At once: the earliest of the Name is looked for next.
        call('ZADD', key.name(new.account, new.name), '-' .. int(new.seq), new.id)
        free_name(new)
    elseif was and not is then
        place(key.finished, new.id, false)
        call('ZADD', key.name(new.account, new.name), new.seq, new.id)
    end
end

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
