-- Reads the newest submissions along some indexes.
-- KEYS: the namespace.
-- ARGV: the time; the sequence number before which they stand, or empty; how many to look at; how
--   many indexes, and of each its kind and two parts: `all`; `label` with name and value; `name` with
--   account and Name; `state` with account and state. An empty account means all accounts.
-- Returns: the time; the sequence number of the last one that was looked at, or empty if no more
--   follow; of each an id and what `show` gives.
-- Bounded by what is asked for: where that needs too many indexes, a wider one is read, and the
--   caller has to leave out more.

local before, most = argument(), number()
local below = before == '' and '+inf' or '(' .. before
local found = {}
local function add(range, sign)
    for n = 1, #range, 2 do found[#found + 1] = { range[n], sign * tonumber(range[n + 1]) } end
end
local function newest(index)
    add(call('ZREVRANGEBYSCORE', index, below, 1, 'WITHSCORES', 'LIMIT', 0, most), 1)
end
local ACCOUNTS, INDEXES = 1000, 64
local function accounts_of(account)
    if account ~= '' then return { account } end
    return call('ZRANGE', key.accounts, 0, ACCOUNTS - 1)
end
local function named(account, name)
    local index = key.name(account, name)
    newest(index)
    -- Those that are final stand there by the negative.
    local above = before == '' and '-inf' or '(-' .. before
    add(call('ZRANGEBYSCORE', index, above, -1, 'WITHSCORES', 'LIMIT', 0, most), -1)
end
local indexes = number()
for _ = 1, indexes do
    local kind, one, other = argument(), argument(), argument()
    if kind == 'label' then
        newest(key.label(one, other))
    elseif kind == 'name' then
        for _, account in ipairs(accounts_of(one)) do named(account, other) end
    else
        local accounts = kind == 'state' and accounts_of(one) or {}
        if kind == 'all' or #accounts * indexes > INDEXES then
            newest(key.all)
            break
        end
        for _, account in ipairs(accounts) do newest(key.state(other, account)) end
    end
end
table.sort(found, function(a, b) return a[2] > b[2] end)
local shown = {}
for n = 1, min(#found, most) do
    shown[n] = { found[n][1], show(found[n][1]) }
end
local last = #found >= most and most > 0 and int(found[most][2]) or ''
return { int(now), last, shown }
