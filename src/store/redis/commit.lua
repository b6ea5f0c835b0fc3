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
--   cancellation was asked for; or `damaged` and why, if what is stored cannot be understood.
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

local function decided()
    return { id = argument(), fence = number(), again = flag(), signal = argument(),
        value = argument(), set = arguments(number() * 2), unset = arguments(number()),
        contents = arguments(number() * 2), plain = outcome(), cancelled = outcome() }
end

local function commit(d)
    local id, set, unset = d.id, d.set, d.unset
    local r = load(id)
    if not r then return { 'stale' } end
    if r.fence ~= d.fence or not r.leased then
        return d.again and repeated(id, d.fence) or { 'stale' }
    end
    local o = r.cancelling and d.cancelled or d.plain
    if o.state == '' then return { 'illegal', r.cancelling and '1' or '0' } end
    take_signal(r.account, d.signal, d.value, p)

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
    put('lease', '')
    put('dlv', '')
    put('by', '')
    put('done', int(d.fence) .. ' ' .. r.state .. ' ' .. new.state)
    if new.state ~= r.state then put('state', new.state) end
    if new.step ~= r.step then put('step', new.step) end
    put('due', new.due and int(new.due))
    if o.why ~= '' or r.reason then put_reason(put, r, o.why ~= '' and o.why, o.text) end
    if FINAL[new.state] then put('fin', int(now)) end
    call('HSET', key.submission(id), unpack(set))
    if #unset > 0 then call('HDEL', key.submission(id), unpack(unset)) end
    if #d.contents > 0 then call('HSET', key.contents(id), unpack(d.contents)) end
    if o.noted then note(id, o.state, o.text) end
    move(r, new)
    return { 'done', r.state, new.state }
end

-- A record that no Ferry wrote must not keep the others from being recorded. What the server itself
-- refuses, as for want of memory, it refuses for all.
local committed = {}
for n = 1, number() do
    local ok, answer = pcall(commit, decided())
    if ok then
        committed[n] = answer
    else
        local why = type(answer) == 'table' and answer.err or answer
        if not string.find(why, '^user_script') and not string.find(why, '^WRONGTYPE') then
            return { err = why }
        end
        committed[n] = { 'damaged', why }
    end
end
save_signals()
settle()
return committed
