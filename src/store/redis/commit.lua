-- Records what was decided about some steps, each on its own.
-- KEYS: the namespace.
-- ARGV: the time; the policy; how many; of each: the submission; the fence; whether the caller has
--   tried before and heard no answer; whether a cancellation was asked for; the account, the Name and
--   the priority; the kind of the step; the states before and after, or empty if that is illegal; the
--   step that follows or empty, and the span until it is due or empty; whether it belongs in the
--   timeline; the reason or empty, and the line's text; the signal about the account and its value;
--   how many fields to set, their names and values, with room for the time after `upd`, `due` and `fin`, which are the first, the
--   second and, where the submission ends, the last; how many fields to remove, their names; how many
--   contents, their keys and values.
-- Returns: for each: `done`; or `done` and the states before and after, if an earlier try succeeded;
--   or `stale`; or `illegal`; or `cancelling`, if other than the caller thought a cancellation was
--   asked for; or `damaged` and why, if what is stored cannot be understood.
-- Bounded by what is handed over.

local p = policy()

-- What the caller's own commit brought about, if that was the last one.
local function repeated(hash, fence)
    local last = call('HGET', hash, 'done')
    local of, from, to = string.match(last or '', '^(%d+) (%l+) (%l+)$')
    if tonumber(of) == fence then return 'done ' .. from .. ' ' .. to end
    return 'stale'
end

-- Passes over so many arguments; answers where they begin and end.
local function pass(count)
    local first = position + 1
    position = position + count
    return first, position
end

local function commit()
    local id, fence, again, cancelled = argument(), number(), flag(), flag()
    local account, name, priority = argument(), argument(), argument()
    local kind, from, to, step, after = argument(), argument(), argument(), argument(), number()
    local noted, why, text = flag(), argument(), argument()
    local signal, value = argument(), argument()
    local set, set_end = pass(number() * 2)
    local unset, unset_end = pass(number())
    local contents, contents_end = pass(number() * 2)

    local hash = key.submission(id)
    local v = call('HMGET', hash, 'fence', 'lease', 'seq', 'stop')
    if numeric(v[1]) ~= fence or not numeric(v[2]) then
        return again and repeated(hash, fence) or 'stale'
    end
    if (v[4] == '1') ~= cancelled then return 'cancelling' end
    if to == '' then return 'illegal' end
    take_signal(account, signal, value, p)

    local due = after and later(after)
    arguments[set + 1], arguments[set + 3] = now_text, due and int(due) or ''
    if FINAL[to] and not FINAL[from] then arguments[set_end] = now_text end
    call('HSET', hash, 'lease', '', 'dlv', '', 'by', '', unpack(arguments, set, set_end))
    if unset_end >= unset then call('HDEL', hash, unpack(arguments, unset, unset_end)) end
    if contents_end >= contents then
        call('HSET', key.contents(id), unpack(arguments, contents, contents_end))
    end
    if noted then note(id, to, text) end
    move(
        { id = id, seq = v[3], account = account, name = name, state = from, step = kind,
            leased = true },
        { id = id, seq = v[3], account = account, name = name, state = to, step = step, due = due,
            priority = priority, reason = why ~= '' and why or nil }
    )
    return 'done'
end

-- A record that no Ferry wrote must not keep the others from being recorded. What the server itself
-- refuses, as for want of memory, it refuses for all.
local answers = {}
for n = 1, number() do
    local ok, answer = pcall(commit)
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
