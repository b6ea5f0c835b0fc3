-- Records what was decided about some steps, each on its own.
-- KEYS: the namespace.
-- ARGV: the time; the policy; how many; their submissions; of each: the fence; whether the caller has
--   tried before and heard no answer; whether a cancellation was asked for; the states before and after,
--   or empty if that is illegal; the kind of the step; the record's head, but for its times, and what
--   follows it; the span until the next step is due, or empty; whether it ends now; whether there is a
--   line for the timeline, and its text; the signal about the account and its value; how many contents,
--   their keys and values.
-- Returns: for each: `done`; or `done` and the states before and after, if an earlier try succeeded;
--   or `stale`; or `illegal`; or `cancelling`, if other than the caller thought a cancellation was
--   asked for; or `damaged` and why, if what is stored cannot be understood.
-- Bounded by what is handed over.

local p = policy()

-- What the caller's own commit brought about, if that was the last one.
local function repeated(id, fence)
    local r = load(id)
    local of, from, to = string.match(r and r.done or '', '^(%d+) (%l+) (%l+)$')
    if tonumber(of) == fence then return 'done ' .. from .. ' ' .. to end
    return 'stale'
end

-- Passes over so many arguments; answers where they begin and end.
local function pass(count)
    local first = position + 1
    position = position + count
    return first, position
end

local function commit(id, claim)
    local fence, again, cancelled = number(), flag(), flag()
    local from, to, kind = argument(), argument(), argument()
    local head, rest, after, ends = argument(), argument(), number(), flag()
    local noted, why = flag(), argument()
    local signal, value = argument(), argument()
    local contents, contents_end = pass(number() * 2)

    -- Of two commits of one claim the first counts.
    local held = claim and claims[id] ~= false and read_claim(claim)
    if not held or held.fence ~= fence then return again and repeated(id, fence) or 'stale' end
    if held.stop ~= cancelled then return 'cancelling' end
    if to == '' then return 'illegal' end

    if contents_end >= contents then
        call('HSET', key.contents(id), unpack(arguments, contents, contents_end))
    end
    local account, name, seq = head[field.account], head[field.name], head[field.seq]
    take_signal(account, signal, value, p)
    local due = after and later(after)
    head[field.due], head[field.updated] = due or -1, now
    if ends then head[field.finished] = now end
    if noted then rest = rest .. line(to, why) end
    written[key.submission(id)] = cmsgpack.pack(head) .. rest
    local reason = head[field.reason]
    move(
        { id = id, seq = seq, account = account, name = name, state = from, step = kind,
            leased = held },
        { id = id, seq = seq, account = account, name = name, state = to, step = head[field.step],
            due = due, priority = head[field.priority], reason = reason ~= '' and reason or nil }
    )
    return 'done'
end

-- What is damaged must not keep the others from being recorded. What the server itself refuses, as for
-- want of memory, it refuses for all.
local ids, answers = {}, {}
for n = 1, number() do ids[n] = argument() end
local held = #ids > 0 and call('HMGET', key.claims, unpack(ids)) or {}
for n, id in ipairs(ids) do
    local ok, answer = pcall(commit, id, held[n])
    if not ok then
        local why = type(answer) == 'table' and answer.err or answer
        if not string.find(why, '^user_script') and not string.find(why, '^WRONGTYPE') then
            return { err = why }
        end
        answer = 'damaged ' .. why
    end
    answers[n] = answer
end
save_signals()
settle()
return answers
