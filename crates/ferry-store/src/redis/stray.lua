-- Puts submissions back into the indexes that a script left out of them, because it was ended between two
-- writes.
-- KEYS: the namespace.
-- ARGV: the time; how many; their ids.
-- Returns: how many were put back.
-- Bounded by the size of the batch.

local STATES = {
    'queued', 'uploading', 'processing', 'collecting', 'completed', 'rejected', 'failed', 'cancelled', 'held',
}

local function is_in(index, id) return call('ZSCORE', index, id) ~= false end

local function is_stray(r, id)
    if not is_in(key.all, id) or not is_in(key.state(r.state, r.account), id) then return true end
    if not is_in(key.name(r.account, r.name), id) then return true end
    if FINAL[r.state] and not is_in(key.finished, id) then return true end
    if r.leased then return not is_in(key.leases, id) end
    -- An upload without a claim may have begun, and ends with a lease.
    if r.state == 'uploading' then return not is_in(key.leases, id) end
    return r.due ~= nil and not is_in(index_of(r), id)
end

local function put_back(r, id)
    for _, state in ipairs(STATES) do
        if state ~= r.state then place(key.state(state, r.account), id, false) end
    end
    place(key.all, id, r.seq)
    place(key.state(r.state, r.account), id, r.seq)
    local _, cold = cmsgpack.unpack_one(r.rest)
    for name, value in pairs(cold[1]) do place(key.label(r.account, name, value), id, r.seq) end
    if call('HSETNX', key.health, r.account, '') == 1 then call('ZADD', key.accounts, 0, r.account) end
    call('ZADD', key.name(r.account, r.name), FINAL[r.state] and '-' .. int(r.seq) or r.seq, id)
    if FINAL[r.state] then place(key.finished, id, int(r.finished or now)) end
    if r.leased or r.state == 'uploading' then
        place(key.leases, id, now_text)
    else
        schedule(r)
    end
end

local count = 0
for _ = 1, number() do
    local id = argument()
    local sound, r = pcall(load, id)
    -- A damaged record is left as it is.
    if sound and r and r.id == id and is_stray(r, id) then
        put_back(r, id)
        count = count + 1
    end
end
settle()
return count
