-- Moves labels from the indexes of layout 3, which span accounts, to those of their accounts, in the order of
-- acceptance.
-- KEYS: the namespace.
-- ARGV: the time; how many submissions at most.
-- Returns: 1 if some are left, or 0.
-- Bounded by what is asked for. `migrating` has the place of the last one, so that a migration that was
-- broken off continues, and several processes share it.

local most = number()

-- At once: from now on older processes cannot use the namespace when they connect.
if call('GET', key.layout) == '3' then
    call('SET', key.migrating, '0')
    call('SET', key.layout, '4')
end
local last = call('GET', key.migrating)
if not last then return 0 end

local function label_of_all(name, value) return base .. 'l:' .. #name .. ':' .. name .. ':' .. value end

local function move(id, seq)
    local r = load(id)
    local _, cold = cmsgpack.unpack_one(r.rest)
    for name, value in pairs(cold[1]) do
        place(label_of_all(name, value), id, false)
        place(key.label(r.account, name, value), id, seq)
    end
end

local found = call('ZRANGEBYSCORE', key.all, '(' .. last, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
for n = 1, #found, 2 do
    -- A damaged record has no labels that can be read, and must not keep the others.
    pcall(move, found[n], tonumber(found[n + 1]))
    last = found[n + 1]
end
local is_left = #found == 2 * most
if is_left then
    written[key.migrating] = last
else
    put_off[1] = function() call('DEL', key.migrating) end
end
settle()
return is_left and 1 or 0
