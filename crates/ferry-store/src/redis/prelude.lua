-- The beginning of every script: the time, its arguments, and what it changes.

local floor, min, max = math.floor, math.min, math.max

-- Result of a command on a key whose value no script wrote: as if nothing were there.
local NOTHING = {
    GET = false, HGET = false, ZSCORE = false, ZCARD = 0, ZCOUNT = 0, LLEN = 0, RPUSH = 0, HSETNX = 0,
}

-- Calls a command. A damaged key costs itself alone: it reads as empty, and is not written. Any other
-- error, such as no memory, ends the script.
local function call(command, ...)
    local result = redis.pcall(command, ...)
    local why = type(result) == 'table' and result.err
    if not why then return result end
    if not string.find(why, 'WRONGTYPE', 1, true) and not string.find(why, 'not an integer', 1, true) then
        error(result)
    end
    local nothing = NOTHING[command]
    if nothing == nil then return {} end
    return nothing
end

-- A whole number as text: Lua's own way loses digits.
local function int(number) return string.format('%d', number) end

-- The last millisecond that Ferry can express.
local FOREVER = 8210266876799999

-- The store's time runs evenly; `offset` is by how much the server's clock is ahead of it. ARGV[1] is, after
-- `=`, milliseconds of the store's time. Otherwise it begins with those of a clock that is used instead of the
-- server's, or with nothing. After `~` stand what the caller expects the store's time to be, and by how much that
-- may be wrong: a clock that stepped since is not used before the step is counted. After `?` the caller expects
-- nothing: a clock behind the last comparison went back since.
local offset = tonumber(call('GET', key.clock)) or 0
local now = tonumber(string.match(ARGV[1], '^=(%d+)$'))
if not now then
    local given, mark, expectation = string.match(ARGV[1], '^(%d*)([~?]?)(.*)$')
    local wall = tonumber(given)
    if not wall then
        local time = call('TIME')
        wall = tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000)
    end
    if mark == '~' then
        local expected, slack = string.match(expectation, '^(%-?%d+) (%d+)$')
        if math.abs(wall - offset - tonumber(expected)) > tonumber(slack) then
            offset = wall - tonumber(expected)
        end
    elseif mark == '?' then
        local seen = tonumber(call('GET', key.clock_seen))
        local gap = seen and wall - offset - seen or 0
        -- The tolerance of comparisons, in milliseconds.
        if gap < -2000 then offset = offset + gap end
    end
    now = wall - offset
end

local now_text = int(now)

-- The time for callers that show it.
local stamp = now_text .. ' ' .. int(offset)

local function later(duration) return min(now + duration, FOREVER) end

-- ARGV[2] has all other arguments, an array in MessagePack: one is read much faster than many.
-- They are read one after the other.
local arguments, position = cmsgpack.unpack(ARGV[2]), 0
local function argument()
    position = position + 1
    return arguments[position]
end
local function number() return tonumber(argument()) end
local function flag() return argument() == '1' end

local KINDS = { 'upload', 'poll', 'collect', 'deliver' }
local PRIORITIES = { 'high', 'normal', 'low' }

-- Changes are put off, so that a batch makes one call of each kind: strings by key; by key of an index
-- which members to take out, and then which scores and members to put in; by field how much a counter of
-- leased steps changes; the claims that are no more, by key and in their order.
local written, placed, leased_more, ended, ended_keys = {}, {}, {}, {}, {}

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

-- The indexes of due steps among them: a new head may wake workers.
local due_indexes = {}

-- Workers to wake when the script has ended: the earliest new due time of each kind, or anything.
local woken, anything = {}, false

-- Workers sleep until the first due time that they saw: only an earlier one is worth a message.
local function wake_workers(index, kind, account, soonest)
    local head = tonumber(call('ZRANGE', index, 0, 0, 'WITHSCORES')[2])
    if not head then
        local turn = tonumber(call('HGET', key.turns, kind .. ':' .. account) or 0) or 0
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
        wake_workers(index, due.kind, due.account, soonest)
    end
    call_with('ZADD', index, into)
end

-- Events in their order: appended together, so that a batch makes one call.
local new_events = {}

local function append_event(id, account, name, state, why)
    new_events[#new_events + 1] = now_text .. ' ' .. id .. ' ' .. state .. ' ' .. (why or '-') .. ' ' .. #account
        .. ' ' .. account .. name
end

local EVENTS, FORGOTTEN = 100000, 1000

local function forget_events(count)
    call('LTRIM', key.events, count, -1)
    local forgotten = call('INCRBY', key.forgotten, count)
    if type(forgotten) ~= 'number' then call('SET', key.forgotten, count) end
end

-- A list that was empty belongs to a new store: what readers know of another one means nothing here.
local function begin_epoch()
    local random = redis.sha1hex(table.concat(call('TIME'), '.') .. ARGV[2])
    call('SET', key.epochs, string.sub(random, 1, 16), 'NX')
end

local function write_events()
    for n = 1, #new_events, MOST do
        local last = min(n + MOST - 1, #new_events)
        local length = call('RPUSH', key.events, unpack(new_events, n, last))
        if length == last - n + 1 then begin_epoch() end
        if length >= EVENTS + FORGOTTEN then forget_events(length - EVENTS) end
    end
end

local function end_claim(id)
    local claim = key.claim(id)
    ended[claim] = true
    ended_keys[#ended_keys + 1] = claim
end

-- Further changes, made in their order when the strings are written: one that frees memory would let the
-- server accept the rest of a script although it has no memory left.
local put_off = {}

local function write_strings()
    local changed = {}
    for name, value in pairs(written) do
        changed[#changed + 1] = name
        changed[#changed + 1] = value
    end
    for n = 1, #changed, MOST do call('MSET', unpack(changed, n, min(n + MOST - 1, #changed))) end
end

-- To be called last by every script that changes something. What takes memory comes first: a server that
-- has none left fails it only as long as a script has not written.
local function settle()
    write_strings()
    for _, change in ipairs(put_off) do change() end
    for n = 1, #ended_keys, MOST do call('DEL', unpack(ended_keys, n, min(n + MOST - 1, #ended_keys))) end
    for index, changes in pairs(placed) do write_index(index, changes) end
    for name, more in pairs(leased_more) do
        local sum = more == 0 or call('HINCRBY', key.leased, name, more)
        -- A count that is damaged begins again.
        if type(sum) == 'table' then call('HSET', key.leased, name, max(0, more)) end
    end
    write_events()
    local message = {}
    for kind, due in pairs(woken) do message[#message + 1] = kind .. ':' .. int(due) end
    if anything then message = { 'all' } end
    -- Only a hint: without the right to it, what was written counts.
    if #message > 0 then redis.pcall('PUBLISH', key.due_times, table.concat(message, ' ')) end
end
