-- Records what was decided about some steps, each on its own. What depends on whether a cancellation
-- was asked for is handed in for both cases.
-- KEYS: the namespace.
-- ARGV: the time; the policy; how many; of each: the submission; the fence; whether the caller has
--   tried before and heard no answer; the signal about the account and its value; how many fields to
--   set, their names and values; how many fields to remove, their names; how many contents, their
--   keys and values; twice, without and with a cancellation: the state that follows, or empty if that
--   is illegal, the step that is kept or empty, the span until it is due or empty, the reason's code
--   or empty, its text, whether it belongs in the timeline.
-- Returns: for each: `done` and the states before and after; or `stale`; or `illegal`, and whether a
--   cancellation was asked for.
-- Bounded by what is handed over.

local p = policy()

local function arguments(count)
    local values = {}
    for n = 1, count do values[n] = argument() end
    return values
end

local function outcome()
    return { state = argument(), step = argument(), after = number(), why = argument(),
        text = argument(), noted = flag() }
end

-- What the caller's own commit brought about, if that was the last one.
local function repeated(id, fence)
    local last = call('HGET', key.submission(id), 'done')
    local of, from, to = string.match(last or '', '^(%d+) (%l+) (%l+)$')
    if tonumber(of) == fence then return { 'done', from, to } end
    return { 'stale' }
end

local function commit()
    local id, fence, again = argument(), number(), flag()
    local signal, value = argument(), argument()
    local set, unset = arguments(number() * 2), arguments(number())
    local contents = arguments(number() * 2)
    local plain, cancelled = outcome(), outcome()

    local r = load(id)
    if not r then return { 'stale' } end
    if r.fence ~= fence or not r.leased then
        return again and repeated(id, fence) or { 'stale' }
    end
    local o = r.cancelling and cancelled or plain
    if o.state == '' then return { 'illegal', r.cancelling and '1' or '0' } end

    local new = copy(r)
    new.state, new.leased = o.state, nil
    new.step = o.step ~= '' and o.step or nil
    new.due = o.after and later(o.after)
    local function put(field, v)
        if v then
            set[#set + 1] = field
            set[#set + 1] = v
        else
            unset[#unset + 1] = field
        end
    end
    put('upd', int(now))
    put('state', new.state)
    put('step', new.step)
    put('due', new.due and int(new.due))
    put_reason(put, r, o.why ~= '' and o.why, o.text)
    put('fin', FINAL[new.state] and int(now))
    put('lease')
    put('dlv')
    put('by')
    put('done', int(fence) .. ' ' .. r.state .. ' ' .. new.state)
    call('HSET', key.submission(id), unpack(set))
    call('HDEL', key.submission(id), unpack(unset))
    if #contents > 0 then call('HSET', key.contents(id), unpack(contents)) end
    if o.noted then note(id, o.state, o.text) end
    move(r, new)
    take_signal(r.account, signal, value, p)
    return { 'done', r.state, new.state }
end

local committed = {}
for n = 1, number() do committed[n] = commit() end
tell()
return committed
