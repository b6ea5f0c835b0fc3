-- Records what was decided about some steps, each on its own.
-- KEYS: the namespace.
-- ARGV: the time; the policy; how many; of each an array: the submission; the lease; whether the caller
--   has tried before and lost the response; whether a cancellation was asked for; the account, the signal about
--   it and its value, and whether that counts in any case; the states before and after, or empty if that is
--   illegal; the kind of the step; name, place, priority and reason; the step that follows, and the delay
--   until it is due or false; whether it ends now, and when it did; a line for the timeline, or false; the
--   record from its state on; the effect on its name, or empty; the span in which its upload may still
--   arrive, or false; the keys and values of contents.
-- Returns: for each: `done`; or `done` and the states before and after, if an earlier try succeeded;
--   or `stale`; or `illegal`; or `cancelling`, if other than the caller thought a cancellation was
--   asked for; or `damaged` and why, if what is stored cannot be understood.
-- Bounded by the size of the batch.

local p = policy()

-- Result of the caller's own commit, if that was the last one.
local function repeated(id, fence)
    local r = load(id)
    local of, from, to = string.match(r and r.done or '', '^(%d+) (%l+) (%l+)$')
    if of == fence then return 'done ' .. from .. ' ' .. to end
    return 'stale'
end

local function commit(c, claim)
    local id, lease, again, cancelled, account, signal, value, in_any_case, from, to, kind, name, seq,
        priority, reason, step, after, ends, finished, why, tail, effect, late, contents = unpack(c)
    -- A stale commit does not come with the step of its submission.
    local leased_kind = string.match(lease, '^%d+ (%l+)')
    if in_any_case then take_signal(account, signal, leased_kind, value, p) end
    -- Of two commits of one claim the first counts.
    if not has_lease(not ended[key.claim(id)] and claim, lease) then
        return again and repeated(id, string.match(lease, '^%d+')) or 'stale'
    end
    if is_to_stop(claim) ~= cancelled then return 'cancelling' end
    if to == '' then return 'illegal' end

    if #contents > 0 and type(call('HSET', key.contents(id), unpack(contents))) ~= 'number' then
        -- Another type of value is there, which nothing can read.
        call('DEL', key.contents(id))
        call('HSET', key.contents(id), unpack(contents))
    end
    if not in_any_case then take_signal(account, signal, leased_kind, value, p) end
    local due = after and later(after)
    local record = cmsgpack.pack(due or -1, now, ends and now or finished) .. tail
    if why then record = record .. line(to, why) end
    written[key.submission(id)] = record
    mark_name(effect, id, account, name)
    mark_late(late, id, account, name)
    move(
        { id = id, seq = seq, account = account, name = name, state = from, step = kind,
            leased = claim },
        { id = id, seq = seq, account = account, name = name, state = to, step = step, due = due,
            priority = priority, reason = reason ~= '' and reason or nil }
    )
    return 'done'
end

-- A damaged record must not keep the others from being recorded. What the server itself does not do, as for
-- want of memory, it does for none.
local commits, names, responses = {}, {}, {}
for n = 1, number() do
    commits[n] = argument()
    names[n] = key.claim(commits[n][1])
end
local owners = #names > 0 and call('MGET', unpack(names)) or {}
for n, c in ipairs(commits) do
    local ok, response = pcall(commit, c, owners[n])
    if not ok then
        local why = type(response) == 'table' and response.err or response
        if not string.find(why, '^user_script') and not string.find(why, '^WRONGTYPE') then
            return { err = why }
        end
        response = 'damaged ' .. why
    end
    responses[n] = response
end
save_signals()
settle()
return responses
