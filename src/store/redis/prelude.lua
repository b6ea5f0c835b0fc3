-- What every script begins with: the time, a submission's record, and the indexes that follow it.

local call = redis.call
local floor, min, max = math.floor, math.min, math.max

-- A whole number as text: Lua's own way loses digits.
local function int(number) return string.format('%.0f', number) end

-- The number that a field holds; nil if it is not there, or empty.
local function numeric(field) return tonumber(field or nil) end

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

-- Changes of indexes and counters are put off, so that a batch makes one call of each key: by key the
-- scores of members, `false` to take one out; by field how much a counter of leased steps changes.
local placed, leased_more = {}, {}

local function place(index, member, score)
    local members = placed[index]
    if not members then
        members = {}
        placed[index] = members
    end
    members[member] = score
end

local function count_leased(kind, account, more)
    local field = kind .. ':' .. account
    leased_more[field] = (leased_more[field] or 0) + more
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

local function write_index(index, members)
    local out, into, soonest = {}, {}, math.huge
    for member, score in pairs(members) do
        if score then
            into[#into + 1] = score
            into[#into + 1] = member
            soonest = min(soonest, tonumber(score))
        else
            out[#out + 1] = member
        end
    end
    for n = 1, #out, MOST do call('ZREM', index, unpack(out, n, min(n + MOST - 1, #out))) end
    local due = #into > 0 and due_indexes[index]
    if due then greet(index, due.kind, due.account, soonest) end
    for n = 1, #into, MOST do call('ZADD', index, unpack(into, n, min(n + MOST - 1, #into))) end
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

-- To be called last by every script that changes something.
local function settle()
    write_events()
    for index, members in pairs(placed) do write_index(index, members) end
    for field, more in pairs(leased_more) do
        if more ~= 0 then call('HINCRBY', key.leased, field, more) end
    end
    local message = {}
    for kind, due in pairs(woken) do message[#message + 1] = kind .. ':' .. int(due) end
    if anything then message = { 'all' } end
    if #message > 0 then call('PUBLISH', key.wake, table.concat(message, ' ')) end
end

-- The part of a submission that scripts act on; nil if there is none.
local function load(id)
    local v = call('HMGET', key.submission(id), 'seq', 'acct', 'name', 'prio', 'state', 'step',
        'due', 'lease', 'fence', 'dlv', 'blkd', 'stop', 'att', 'why', 'call', 'goon')
    if not v[1] then return nil end
    return {
        id = id,
        seq = v[1],
        account = v[2],
        name = v[3],
        priority = v[4],
        state = v[5],
        step = v[6] or nil,
        due = numeric(v[7]),
        leased = numeric(v[8]),
        fence = numeric(v[9]) or 0,
        deliveries = numeric(v[10]) or 0,
        blocked = v[11] == '1',
        -- What has ended cannot be cancelled.
        cancelling = v[12] == '1' and not FINAL[v[5]],
        attempts = numeric(v[13]) or 0,
        reason = v[14] or nil,
        callback = v[15] == '1',
        resume = v[16] or nil,
    }
end

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
    elseif r.due then
        place(index_of(r), r.id, false)
    end
end

-- Puts it where its step waits or is leased.
local function schedule(r)
    if r.leased then
        place(key.leases, r.id, r.leased)
        count_leased(r.step, r.account, 1)
    elseif r.due then
        place(index_of(r), r.id, r.due)
    end
end

-- The earliest submission of a Name that is not final.
local function first_of(account, name)
    return call('ZRANGEBYSCORE', key.name(account, name), 1, '+inf', 'LIMIT', 0, 1)[1]
end

-- The earliest submission that waited for this one waits no more.
local function free_name(r)
    local first = first_of(r.account, r.name)
    local freed = first and load(first)
    if freed and freed.blocked then
        unschedule(freed)
        freed.blocked = false
        freed.due = max(freed.due, now)
        call('HDEL', key.submission(first), 'blkd')
        call('HSET', key.submission(first), 'due', int(freed.due))
        schedule(freed)
    end
end

-- Moves a submission from `old` to `new`, both as `load` gives them, in everything but its hash.
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
        call('ZADD', key.name(new.account, new.name), '-' .. new.seq, new.id)
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

-- Redis keeps a hash of short values in much less memory than one with a long value: a long text is
-- cut in pieces, of which the last takes the rest.
local PIECE, PIECES = 64, 8

-- Sets the reason of `r` by calls of `put`, which removes a field where the value is `false`.
local function put_reason(put, r, why, text)
    put('why', why or false)
    local pieces = why and max(1, min(PIECES, math.ceil(#text / PIECE))) or 0
    for n = 1, pieces do
        local last = n == PIECES and #text or n * PIECE
        put('text' .. n, string.sub(text, (n - 1) * PIECE + 1, last))
    end
    if r.reason then
        for n = pieces + 1, PIECES do put('text' .. n, false) end
    end
end

-- Brings the hash and the indexes from `old` to `new`, which changed since `load`; `fields` are
-- further fields to set, and `why` and `text` for the reason. `false` as a value removes a field.
local function save(old, new, fields)
    local set, unset = { 'upd', int(now), 'state', new.state }, {}
    local function put(field, value)
        if value then
            set[#set + 1] = field
            set[#set + 1] = value
        else
            unset[#unset + 1] = field
        end
    end
    put('step', new.step or false)
    put('due', new.due and int(new.due) or false)
    put('lease', new.leased and int(new.leased) or '')
    put('by', '')
    put('dlv', new.deliveries > 0 and int(new.deliveries) or '')
    put('att', new.attempts > 0 and int(new.attempts) or false)
    put('blkd', new.blocked and '1' or false)
    put('stop', new.cancelling and '1' or false)
    if FINAL[new.state] ~= FINAL[old.state] then put('fin', FINAL[new.state] and int(now) or false) end
    put('goon', new.resume or false)
    if fields.why then put_reason(put, old, fields.why, fields.text) end
    for field, value in pairs(fields) do
        if field ~= 'why' and field ~= 'text' then put(field, value) end
    end
    local hash = key.submission(new.id)
    call('HSET', hash, unpack(set))
    if #unset > 0 then call('HDEL', hash, unpack(unset)) end
    new.reason = fields.why or old.reason
    move(old, new)
end

-- The most lines of a timeline, beside its first, which says when the submission was accepted.
local TIMELINE = 199

local function note(id, state, why)
    local lines = call('RPUSH', key.timeline(id), now_text .. ' ' .. state .. ' ' .. why)
    if lines > TIMELINE then call('LTRIM', key.timeline(id), -TIMELINE, -1) end
end

-- Ends a submission that no worker holds any more: `new` and the fields to save.
local function finish(r, state, why)
    local new = copy(r)
    new.state, new.due, new.leased, new.blocked = state, nil, nil, false
    local fields = { why = 'operator', text = why }
    if state ~= 'failed' then new.step = nil end
    if r.callback then
        -- Whoever wants to hear of it is told; a failed one keeps its step, to go on with.
        new.resume, new.step, new.due, fields.fail = new.step, 'notify', now, false
    end
    return new, fields
end

-- Makes the step that a submission stopped at due, with a clean slate.
local function go_on(r, why, deadline)
    local new = copy(r)
    if r.step == 'notify' then new.step = r.resume end
    new.step, new.resume, new.leased = new.step or 'upload', nil, nil
    new.state, new.due = WAITING[new.step], now
    new.deliveries, new.cancelling = 0, false
    return new, { why = 'operator', text = why, line = int(later(deadline)), fail = false }
end

-- What is needed to show a submission: its hash, the health of its account, the submission that it
-- waits for, and until when its account's rates are used up. An empty array if there is none.
local function show(id)
    local fields = call('HGETALL', key.submission(id))
    if #fields == 0 then return {} end
    local v = call('HMGET', key.submission(id), 'acct', 'blkd', 'name')
    local health = call('HGET', key.health, v[1]) or ''
    local first = v[2] and first_of(v[1], v[3]) or ''
    local spent = call('HMGET', key.spent, 'uploads:' .. v[1], 'requests:' .. v[1])
    return { fields, health, first, spent[1] or '0', spent[2] or '0' }
end
