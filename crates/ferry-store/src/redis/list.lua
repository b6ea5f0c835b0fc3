-- Reads the newest submissions along some indexes.
-- KEYS: the namespace.
-- ARGV: the time; the sequence number before which they stand, or empty; the times since and before
--   which they were accepted, in milliseconds, or empty; how many to look at; how many accounts, and these,
--   or none for all; how many indexes, and of each its kind and two parts: `all`; `label` with name and value; `name` with the
--   name; `state` with the state.
-- Returns: the time; the sequence number of the last one that was looked at, or empty if no more
--   follow; of each its id, its sequence number, and what `show` gives.
-- Bounded by what is asked for: where that needs too many indexes, a wider one is read, and the
--   caller has to leave out more. With accounts, nothing of another one is read.

local before, accepted_since, accepted_before = number(), number(), number()
if accepted_since then accepted_since = accepted_since - offset end
if accepted_before then accepted_before = accepted_before - offset end
local most, of_accounts = number(), {}
for n = 1, number() do of_accounts[n] = argument() end
local indexes = number()

-- Without the index of all, a list would look empty that is not.
local function require_all()
    local kind = call('TYPE', key.all).ok
    if kind ~= 'zset' and kind ~= 'none' then
        error({ err = 'WRONGTYPE the key `' .. key.all .. '` is a ' .. kind .. ' instead of a zset' })
    end
end

-- Indexes with the sign of the scores that are read: those of a name that are final stand by the negative.
local sources = {}
local function add_index(kind, of, one, other)
    if kind == 'name' then
        sources[#sources + 1] = { 1, key.name(of, one) }
        sources[#sources + 1] = { -1, key.name(of, one) }
    else
        sources[#sources + 1] = { 1, kind == 'label' and key.label(of, one, other) or key.state(one, of) }
    end
end
local INDEXES, SHARE = 1000, 16
local function read_sources()
    for _ = 1, indexes do
        local kind, one, other = argument(), argument(), argument()
        local accounts = of_accounts
        if #of_accounts == 0 and kind ~= 'all' then accounts = call('ZRANGE', key.accounts, 0, INDEXES) end
        if #accounts == 0 or #accounts * indexes > INDEXES then
            require_all()
            sources = { { 1, key.all } }
            return
        end
        for _, of in ipairs(accounts) do add_index(kind, of, one, other) end
    end
end
read_sources()

-- Number of entries of a source, and the rank of one of them, counted from the oldest.
local function run_of(sign, index)
    local negative = call('ZCOUNT', index, '-inf', '(0')
    if sign < 0 then return negative, function(n) return negative - 1 - n end end
    return call('ZCARD', index) - negative, function(n) return negative + n end
end

-- The sequence number from which on all of a source were accepted at a time or later, found by halves.
local function first_since(source, time)
    local sign, index = unpack(source)
    local count, rank = run_of(sign, index)
    -- Of a damaged record, the time of one that follows within a few.
    local function created_at(place)
        for n = place, min(place + 20, count - 1) do
            local id = call('ZRANGE', index, rank(n), rank(n))[1]
            local record = id and read(key.submission(id))
            local sound, created = pcall(value_of, record or '', 'created')
            if sound and type(created) == 'number' then return created end
        end
        return 0
    end
    local from, to = 0, count
    while from < to do
        local middle = floor((from + to) / 2)
        if created_at(middle) >= time then to = middle else from = middle + 1 end
    end
    if from == count then return math.huge end
    return sign * tonumber(call('ZRANGE', index, rank(from), rank(from), 'WITHSCORES')[2])
end

-- From which sequence number on, and before which one, a source is read.
local function bounds_of(source)
    local above, below = 1, before or math.huge
    if accepted_since then above = first_since(source, accepted_since) end
    if accepted_before then below = min(below, first_since(source, accepted_before)) end
    return above, below
end
-- One search is enough for all accounts together.
local above, below
if #of_accounts == 0 and (accepted_since or accepted_before) then
    require_all()
    above, below = bounds_of({ 1, key.all })
end

-- The newest of a source, with their scores.
local function newest(source, count)
    local from, to = above, below
    if not from then from, to = bounds_of(source) end
    if from == math.huge then return {} end
    local sign, index = unpack(source)
    local first, last = int(sign * from), to == math.huge and (sign > 0 and '+inf' or '-inf') or '(' .. int(sign * to)
    local command = sign > 0 and 'ZREVRANGEBYSCORE' or 'ZRANGEBYSCORE'
    return call(command, index, last, first, 'WITHSCORES', 'LIMIT', 0, count)
end

-- Of each index a share. Behind the last of a whole share, those of that index are not known: so far the
-- list is complete.
local share = min(most, max(math.ceil(most / #sources), SHARE))
local found, complete = {}, 0
for _, source in ipairs(sources) do
    local sign, range = source[1], newest(source, share)
    for n = 1, #range, 2 do found[#found + 1] = { range[n], sign * tonumber(range[n + 1]) } end
    if #range == 2 * share then complete = max(complete, sign * tonumber(range[#range])) end
end
table.sort(found, function(a, b) return a[2] > b[2] end)
local shown, last = {}, ''
for n = 1, min(#found, most) do
    local id, seq = found[n][1], found[n][2]
    if seq < complete then break end
    shown[n] = { id, int(seq), show(id) }
    last = int(seq)
end
if complete == 0 and #shown == #found then last = '' end
return { stamp, last, shown }
