-- Counts what there is to do, for a page of the accounts or for one.
-- KEYS: the namespace.
-- ARGV: the time; the account, or empty for a page of all; the account after which the page begins, or empty; how many accounts; how many
--   states, and the states.
-- Returns: the time; of each account: name, health; how many submissions are in each state; of each
--   kind how many steps are ready, how many of these are runnable, how many are behind a predecessor, how
--   many are scheduled and leased, and the oldest due time of the ready and of the runnable ones, or empty.
-- Bounded by the size of the page.

local only, after, most = argument(), argument(), number()
local states = {}
for n = 1, number() do states[n] = argument() end
local names = { call('ZSCORE', key.accounts, only) and only or nil }
if only == '' then
    names = call('ZRANGEBYLEX', key.accounts, after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, most)
end
local at = int(now)

local function count(index, counts)
    counts.ready = counts.ready + call('ZCOUNT', index, '-inf', at)
    counts.scheduled = counts.scheduled + call('ZCOUNT', index, '(' .. at, '+inf')
    local head = tonumber(call('ZRANGE', index, 0, 0, 'WITHSCORES')[2])
    if head and head <= now then counts.oldest = min(counts.oldest or head, head) end
end

local accounts = {}
for n, name in ipairs(names) do
    local in_state, steps = {}, {}
    for s, state in ipairs(states) do in_state[s] = call('ZCARD', key.state(state, name)) end
    for k, kind in ipairs(KINDS) do
        local counts = { ready = 0, scheduled = 0 }
        for _, priority in ipairs(PRIORITIES) do count(key.due(kind, priority, name), counts) end
        local runnable, behind = counts.ready, key.has_predecessor(kind, name)
        local oldest_runnable = counts.oldest and int(counts.oldest) or ''
        count(behind, counts)
        local leased = max(0, tonumber(call('HGET', key.leased, kind .. ':' .. name) or 0) or 0)
        local oldest = counts.oldest and int(counts.oldest) or ''
        steps[k] = { counts.ready, runnable, call('ZCARD', behind), counts.scheduled, leased, oldest, oldest_runnable }
    end
    accounts[n] = { name, call('HGET', key.health, name) or '', in_state, steps }
end
return { stamp, accounts }
