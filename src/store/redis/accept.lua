-- Takes new submissions in, all or none.
-- KEYS: the namespace.
-- ARGV: the time; how many; of each: id, account, Name, priority, whether to overwrite, digest of
--   the content, how many results to fetch, start or empty, deadline or empty, span of a deadline or empty, whether there is an
--   idempotency key, the key, whether somebody wants to hear of the outcome, the dataset, how many labels, their names and values, how many pieces
--   of the rest, the pieces.
-- Returns: for each `new`, `known` or `conflict`, and an id; or `taken` and the id that was there.
-- Bounded by what is handed over.

local count = number()
local batch = {}
for n = 1, count do
    local new = {
        id = argument(),
        account = argument(),
        name = argument(),
        priority = argument(),
        overwrite = flag(),
        digest = argument(),
        results = number(),
        start = number(),
        deadline = number(),
        span = number(),
        keyed = flag(),
        idempotency = argument(),
        callback = flag(),
        payload = argument(),
        labels = {},
        rest = {},
    }
    for l = 1, number() do new.labels[l] = { argument(), argument() } end
    for w = 1, number() do new.rest[w] = argument() end
    batch[n] = new
end

-- Whoever did not hear the answer to a batch may hand it over again.
local here = {}
for _, new in ipairs(batch) do
    local digest = here[new.id] or call('HGET', key.submission(new.id), 'hash')
    if digest and digest ~= new.digest then return { 'taken', new.id } end
    here[new.id] = new.digest
end

local function insert(new)
    local seq = int(call('INCR', key.seq))
    local due = max(new.start or now, now)
    local deadline = new.deadline or min(due + new.span, FOREVER)
    local blocked = first_of(new.account, new.name) ~= nil
    -- Redis looks for a field from the first one on: what every step reads comes first, and keeps its
    -- place, empty or not.
    local fields = {
        'fence', '0', 'lease', '', 'seq', seq, 'acct', new.account, 'name', new.name,
        'prio', new.priority, 'state', 'queued', 'step', 'upload', 'due', int(due), 'dlv', '',
        'by', '', 'upd', int(now), 'born', int(now), 'line', int(deadline), 'hash', new.digest,
    }
    local function put(field, value)
        fields[#fields + 1] = field
        fields[#fields + 1] = value
    end
    if new.overwrite then put('over', '1') end
    if blocked then put('blkd', '1') end
    if new.callback then put('call', '1') end
    if new.results > 1 then put('ask', int(new.results)) end
    for w, piece in ipairs(new.rest) do put('w' .. w, piece) end
    call('HSET', key.submission(new.id), unpack(fields))
    call('SET', key.payload(new.id), new.payload)
    place(key.all, new.id, seq)
    place(key.state('queued', new.account), new.id, seq)
    -- At once: the next of the batch may have the same Name.
    call('ZADD', key.name(new.account, new.name), seq, new.id)
    for _, label in ipairs(new.labels) do place(key.label(label[1], label[2]), new.id, seq) end
    if new.keyed then call('SET', key.idempotency(new.account, new.idempotency), new.id) end
    if call('HSETNX', key.health, new.account, '') == 1 then
        call('ZADD', key.accounts, 0, new.account)
    end
    tell(new.id, new.account, new.name, 'queued')
    schedule({
        id = new.id, step = 'upload', priority = new.priority, account = new.account, due = due,
        blocked = blocked,
    })
end

local answers = {}
for _, new in ipairs(batch) do
    local known = new.keyed and call('GET', key.idempotency(new.account, new.idempotency))
    local id, answer = new.id, 'new'
    if known and known ~= new.id then
        local same = call('HGET', key.submission(known), 'hash') == new.digest
        id, answer = known, same and 'known' or 'conflict'
    elseif call('EXISTS', key.submission(new.id)) == 0 then
        insert(new)
    end
    answers[#answers + 1] = answer
    answers[#answers + 1] = id
end
settle()
return answers
