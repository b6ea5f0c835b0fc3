-- Reads the newest submissions along some indexes.
-- KEYS: the namespace.
-- ARGV: the time; the sequence number before which they stand, or empty; the times since and before
--   which they were accepted, in milliseconds, or empty; how many to look at; how many indexes, and of
--   each its kind, its account, and two parts: `all`; `label` with name and value; `name` with the Name;
--   `state` with the state. An empty account means all accounts.
-- Returns: the time; the sequence number of the last one that was looked at, or empty if no more
--   follow; of each its id, its sequence number, and what `show` gives.
-- Bounded by what is asked for: where that needs too many indexes, a wider one is read, and the
--   caller has to leave out more.

-- Without the index of all, a list would look empty that is not.
local function require_all()
    local kind = call('TYPE', key.all).ok
    if kind ~= 'zset' and kind ~= 'none' then
        error({ err = 'WRONGTYPE the key `' .. key.all .. '` is a ' .. kind .. ' instead of a zset' })
    end
end
local before = argument()
local accepted_since, accepted_before = number(), number()
if accepted_since then accepted_since = accepted_since - offset end
if accepted_before then accepted_before = accepted_before - offset end
local most = number()
-- Time of acceptance of the submission at a place of `all`, or, if its record is damaged, of one that
-- follows within a few.
local function created_at(place, last)
    for n = place, min(place + 20, last) do
        local id = call('ZRANGE', key.all, n, n)[1]
        local record = id and read(key.submission(id))
        local sound, created = pcall(value_of, record or '', 'created')
        if sound and type(created) == 'number' then return created end
    end
    return 0
end
-- The sequence number from which on all were accepted at a time or later, found by halves.
local function first_since(time)
    require_all()
    local from, to = 0, call('ZCARD', key.all)
    while from < to do
        local middle = floor((from + to) / 2)
        if created_at(middle, to - 1) >= time then to = middle else from = middle + 1 end
    end
    local first = call('ZRANGE', key.all, from, from, 'WITHSCORES')[2]
    return first and tonumber(first) or math.huge
end
local above = accepted_since and first_since(accepted_since) or 1
if accepted_before then
    local first = first_since(accepted_before)
    if before == '' or first < tonumber(before) then before = first < math.huge and int(first) or '' end
end
if above == math.huge then return { stamp, '', {} } end
above = int(above)
local below = before == '' and '+inf' or '(' .. before
local sources = {}
local function newest(index) sources[#sources + 1] = { 1, 'ZREVRANGEBYSCORE', index, below, above } end
local function add_index(kind, account, one, other)
    if kind == 'label' then return newest(key.label(account, one, other)) end
    if kind == 'state' then return newest(key.state(one, account)) end
    local index = key.name(account, one)
    newest(index)
    -- Those that are final stand there by the negative.
    local from = before == '' and '-inf' or '(-' .. before
    sources[#sources + 1] = { -1, 'ZRANGEBYSCORE', index, from, '-' .. above }
end
local INDEXES, SHARE = 1000, 16
local function accounts_of(account)
    if account ~= '' then return { account } end
    return call('ZRANGE', key.accounts, 0, INDEXES)
end
local indexes = number()
for _ = 1, indexes do
    local kind, account, one, other = argument(), argument(), argument(), argument()
    local accounts = kind == 'all' and {} or accounts_of(account)
    if #accounts == 0 or #accounts * indexes > INDEXES then
        require_all()
        sources = {}
        newest(key.all)
        break
    end
    for _, known in ipairs(accounts) do add_index(kind, known, one, other) end
end
-- Of each index a share. Behind the last of a whole share, those of that index are not known: so far the
-- list is complete.
local share = min(most, max(math.ceil(most / #sources), SHARE))
local found, complete = {}, 0
for _, source in ipairs(sources) do
    local sign, command, index, from, to = unpack(source)
    local range = call(command, index, from, to, 'WITHSCORES', 'LIMIT', 0, share)
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
