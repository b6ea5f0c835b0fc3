-- The names of all keys. Every key of a namespace begins with its hash tag, which is KEYS[1], so that
-- a Cluster keeps them on one node. Parts that people choose come last, or with their length before
-- them: no two keys collide.

local base = KEYS[1]

-- Those that need no more than their name:
-- `all`, `finished`, `leases`: sorted sets, by the order of acceptance, of all submissions; by the time of
--   their end, of those that are final; by the end of their lease, of those that a worker owns.
-- `seq`, `fence`, `turn`: counters of accepted submissions; of claims; of claims that served an account.
-- `events`, `forgotten`: a list of what changed last, as `events.rs` reads it; how many came before the
--   first of them.
-- `epochs`, `lost`: strings; the epoch of `events`, set with the first of them, and before it those whose
--   data an operator acknowledged as lost, newest first; a loss that a process reported.
-- `accounts`: a sorted set of the accounts' names, for reading them in pages.
-- `limit_usage`: a hash; until when a rate of an account is used up, in microseconds, by `rate:account`.
-- `health`, `leased`, `turns`: hashes; an account's health; how many steps are leased, by `kind:account`;
--   when an account that has nothing to do was served last, by `kind:account`.
-- `name_marks`: a hash; by `name_field` the submission that ended last without it being known whether its
--   dataset is at the Platform.
-- `clock`, `clock_seen`: strings; milliseconds by which the server's clock is ahead of the store's time;
--   that time, when a process last compared the two.
-- `processes`, `heartbeats`: a hash, and a sorted set, of the processes that use the namespace: the last heartbeat
--   of each, as `processes.rs` reads it; by the time of that.
-- `due_times`: the channel that announces the next due times to workers.
-- `layout`, `migrating`: strings; the layout, as `layout.rs` knows it; while an older one is migrated, the
--   sequence number of the last submission that was.
local key = setmetatable({}, {
    __index = function(known, name)
        known[name] = base .. name
        return known[name]
    end,
})

-- A string: the store's time when a process of a machine last compared the clocks, and the monotonic times
-- around that. Its name is a number of the machine's start.
function key.machine(boot) return base .. 'clock:' .. boot end

-- A string: a submission, as `record.rs` reads it.
function key.submission(id) return base .. 's:' .. id end

-- A string: the owner of a submission's step, as `claim_of` writes it.
function key.claim(id) return base .. 'c:' .. id end

-- A string: the ids of what a process claimed last of a kind of steps, in case that the response was lost.
function key.unacknowledged(kind, process) return base .. 'u:' .. kind .. ':' .. process end

-- A string: the dataset, compressed, as `blob_format.rs` reads it.
function key.payload(id) return base .. 'p:' .. id end

-- A hash: results and feedback by their key, as `blob_format.rs` reads them.
function key.contents(id) return base .. 'r:' .. id end

-- A sorted set, by due time, of what waits for a worker.
function key.due(kind, priority, account)
    return base .. 'due:' .. kind .. ':' .. priority .. ':' .. account
end

-- A sorted set, by due time, of what waits for an earlier submission of its name.
function key.has_predecessor(kind, account) return base .. 'has_predecessor:' .. kind .. ':' .. account end

-- A sorted set, by when they were served last, of the accounts with steps in `key.due`.
function key.waiting(kind) return base .. 'waiting:' .. kind end

-- A sorted set, by the order of acceptance, of the submissions in a state.
function key.state(state, account) return base .. 'in:' .. state .. ':' .. account end

-- A sorted set of the submissions of a name: by the order of acceptance those that are not final, by
-- its negative those that are.
function key.name(account, name) return base .. 'n:' .. #account .. ':' .. account .. ':' .. name end

-- The field of a name in a hash.
local function name_field(account, name) return #account .. ':' .. account .. ':' .. name end

-- A string: the submission of a name whose upload may still arrive, and until when.
function key.late(account, name) return base .. 'late:' .. #account .. ':' .. account .. ':' .. name end

-- A sorted set, by the order of acceptance, of the submissions of an account with a label.
function key.label(account, name, value)
    return base .. 'label:' .. #account .. ':' .. account .. ':' .. #name .. ':' .. name .. ':' .. value
end

-- A string: the submission that was accepted with an idempotency key.
function key.idempotency(account, given)
    return base .. 'k:' .. #account .. ':' .. account .. ':' .. given
end
