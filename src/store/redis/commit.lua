-- Records what was decided about one step. What depends on whether a cancellation was asked for is
-- handed in for both cases.
-- KEYS: the namespace.
-- ARGV: the time; the submission; the fence; whether the caller has tried before and heard no answer;
--   the signal about the account and its value; the policy; how many fields to set, their names and
--   values; how many fields to remove, their names; how many contents, their keys and values; twice,
--   without and with a cancellation: the state that follows, or empty if that is illegal, the step
--   that is kept or empty, the span until it is due or empty, the reason's code or empty, its text,
--   whether it belongs in the timeline.
-- Returns: `done` and the states before and after; or `stale`; or `illegal`, whether a cancellation
--   was asked for, and the state.

local id, fence, again = argument(), number(), flag()
local signal, value = argument(), argument()
local p = policy()
local r = load(id)
local hash = key.submission(id)
if not r or r.fence ~= fence or not r.leased then
    -- The caller's own commit may have been the last one.
    local last = again and r and call('HGET', hash, 'done')
    if last then
        local of, from, to = string.match(last, '^(%d+) (%l+) (%l+)$')
        if tonumber(of) == fence then return { 'done', from, to } end
    end
    return { 'stale' }
end

local set, unset, contents = {}, {}, {}
for f = 1, number() * 2 do set[f] = argument() end
for f = 1, number() do unset[f] = argument() end
for c = 1, number() * 2 do contents[c] = argument() end
local function outcome()
    return { state = argument(), step = argument(), after = number(), why = argument(),
        text = argument(), noted = flag() }
end
local plain, cancelled = outcome(), outcome()
local o = r.cancelling and cancelled or plain
if o.state == '' then return { 'illegal', r.cancelling and '1' or '0', r.state } end

local new = copy(r)
new.state, new.leased, new.deliveries = o.state, nil, 0
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
put('why', o.why ~= '' and o.why)
put('text', o.why ~= '' and o.text)
put('fin', FINAL[new.state] and int(now))
put('lease')
put('dlv')
put('done', int(fence) .. ' ' .. r.state .. ' ' .. new.state)
call('HSET', hash, unpack(set))
call('HDEL', hash, unpack(unset))
if #contents > 0 then call('HSET', key.contents(id), unpack(contents)) end
if o.noted then note(id, o.state, o.text) end
move(r, new)
take_signal(r.account, signal, value, p)
tell()
return { 'done', r.state, new.state }
