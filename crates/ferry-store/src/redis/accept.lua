-- Takes new submissions in, all or none.
-- KEYS: the namespace.
-- ARGV: the time; how many; of each: id; head, but for its times, its place and whether it is blocked;
--   what follows the head; start or empty, deadline or empty, duration until the deadline or empty; whether there
--   is an idempotency key, the key; the dataset; how many labels, their names and values.
-- Returns: for each `new`, `duplicate` or `conflict`, and an id; or `taken` and the id that was there.
-- Bounded by the size of the batch.

-- A time that the producer names is by the clock.
local function by_clock(time) return time and time - offset end

local batch, names = {}, {}
for n = 1, number() do
    local new = {
        id = argument(),
        head = argument(),
        rest = argument(),
        start = by_clock(number()),
        deadline = by_clock(number()),
        duration = number(),
        keyed = flag(),
        idempotency = argument(),
        payload = argument(),
        labels = {},
    }
    for l = 1, number() do new.labels[l] = { argument(), argument() } end
    batch[n], names[n] = new, key.submission(new.id)
end

-- Empty if the record is damaged: it has other content than any submission.
local function digest_of(record)
    if not record then return nil end
    local sound, digest = pcall(value_of, record, 'digest')
    return sound and digest or ''
end

-- A caller whose response was lost may submit the batch again.
local here = call('MGET', unpack(names))
local digests = {}
for n, new in ipairs(batch) do
    local digest = digests[new.id] or digest_of(here[n])
    if digest and digest ~= new.head[field.digest] then return { 'taken', new.id } end
    digests[new.id] = new.head[field.digest]
end

-- A count that is damaged continues after the newest submission.
local last = tonumber(call('GET', key.seq) or 0)
    or tonumber(call('ZRANGE', key.all, -1, -1, 'WITHSCORES')[2] or 0)
local first_new = last
local known_accounts = {}

local function insert(new)
    last = last + 1
    local head = new.head
    local account, name = head[field.account], head[field.name]
    local due = max(new.start or now, now)
    local has_predecessor = first_of(account, name) ~= nil
    head[field.seq], head[field.due], head[field.has_predecessor] = last, due, has_predecessor
    head[field.created], head[field.updated] = now, now
    head[field.deadline] = new.deadline or min(due + new.duration, FOREVER)
    written[key.submission(new.id)] = cmsgpack.pack(unpack(head)) .. new.rest
    written[key.payload(new.id)] = new.payload
    if new.keyed then written[key.idempotency(account, new.idempotency)] = new.id end
    place(key.all, new.id, last)
    place(key.state('queued', account), new.id, last)
    -- At once: the next of the batch may have the same name.
    call('ZADD', key.name(account, name), last, new.id)
    for _, label in ipairs(new.labels) do place(key.label(account, label[1], label[2]), new.id, last) end
    if not known_accounts[account] and call('HSETNX', key.health, account, '') == 1 then
        call('ZADD', key.accounts, 0, account)
    end
    known_accounts[account] = true
    append_event(new.id, account, name, 'queued')
    schedule({
        id = new.id, step = 'upload', priority = head[field.priority], account = account, due = due,
        has_predecessor = has_predecessor,
    })
end

local responses = {}
for n, new in ipairs(batch) do
    local head = new.head
    local known = new.keyed and read(key.idempotency(head[field.account], new.idempotency))
    -- A key of a submission that is not there any more protects nothing.
    if known and not written[key.submission(known)] and call('EXISTS', key.submission(known)) == 0 then
        known = nil
    end
    local id, response = new.id, 'new'
    if known and known ~= new.id then
        local same = digest_of(read(key.submission(known))) == head[field.digest]
        id, response = known, same and 'duplicate' or 'conflict'
    elseif not here[n] and not written[names[n]] then
        insert(new)
    end
    responses[#responses + 1] = response
    responses[#responses + 1] = id
end
if last > first_new then written[key.seq] = int(last) end
settle()
return responses
