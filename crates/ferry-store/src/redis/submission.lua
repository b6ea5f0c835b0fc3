-- A submission as scripts act on it, and the indexes that follow it.

local FINAL = { completed = true, rejected = true, failed = true, cancelled = true }

-- A submission as scripts act on it, of its record.
local function parse(record)
    local head = { cmsgpack.unpack_limit(record, #HEAD) }
    local r = { rest = string.sub(record, head[1] + 1) }
    for place_in, name in ipairs(HEAD) do
        local value = head[place_in + 1]
        if value ~= '' and value ~= -1 then r[name] = value end
    end
    return r
end

-- Owner of a step.
local function claim_on(id)
    local name = key.claim(id)
    return not ended[name] and read(name) or nil
end

-- A submission as scripts act on it; nil if there is none.
local function load(id)
    local record = read(key.submission(id))
    if not record then return nil end
    local r = parse(record)
    r.leased = claim_on(id)
    return r
end

local NONE = { due = -1, finished = -1, step = '', reason = '', done = '', key = '' }

local function write(r)
    local head = {}
    for place_in, name in ipairs(HEAD) do
        local value = r[name]
        if value == nil then value = NONE[name] end
        head[place_in] = value
    end
    written[key.submission(r.id)] = cmsgpack.pack(unpack(head)) .. r.rest
end

-- The index in which a step waits.
local function index_of(r)
    if r.has_predecessor then return key.has_predecessor(r.step, r.account) end
    local index = key.due(r.step, r.priority, r.account)
    due_indexes[index] = due_indexes[index] or { kind = r.step, account = r.account }
    return index
end

-- Takes a submission out of where its step waits or is leased.
local function unschedule(r)
    if r.leased then
        place(key.leases, r.id, false)
        count_leased(r.step, r.account, -1)
        end_claim(r.id)
    elseif r.due then
        place(index_of(r), r.id, false)
    end
end

-- Forgets a claim of which nothing more is known.
local function drop_claim(id, claim)
    if claim then
        local kind, _, _, account = parts_of(claim)
        if kind then count_leased(kind, account, -1) end
        end_claim(id)
    end
    place(key.leases, id, false)
end

-- Puts it where its step waits.
local function schedule(r)
    if r.due then place(index_of(r), r.id, r.due) end
end

-- So many records that were removed by hand are passed over.
local REMOVED = 20

-- The earliest submission of a name that is not final. A damaged one blocks the name, because it may have been
-- uploaded; one without a record does not.
local function first_of(account, name)
    for _, id in ipairs(call('ZRANGEBYSCORE', key.name(account, name), 1, '+inf', 'LIMIT', 0, REMOVED)) do
        local record = key.submission(id)
        if written[record] or call('EXISTS', record) == 1 then return id end
    end
    return nil
end

-- The earliest submission that waited for this one waits no more; one that cannot be understood must not
-- keep this one from its end.
local function free_name(r)
    local first = first_of(r.account, r.name)
    if not first then return end
    local sound, freed = pcall(load, first)
    if sound and freed and freed.has_predecessor then
        unschedule(freed)
        freed.has_predecessor = false
        freed.due = max(freed.due, now)
        write(freed)
        schedule(freed)
    end
end

-- Applies the effect of a change of a submission to the mark of its name, as `NameEffect` in Rust has it.
local function mark_name(effect, id, account, name)
    if effect == '' then return end
    put_off[#put_off + 1] = function()
        local marked = name_field(account, name)
        if effect == 'marks' then
            call('HSET', key.name_marks, marked, id)
        elseif effect == 'settles' or call('HGET', key.name_marks, marked) == id then
            call('HDEL', key.name_marks, marked)
        end
    end
end

-- For a span, the upload of a submission may still arrive; no span if it may not.
local function mark_late(span, id, account, name)
    if not span then return end
    put_off[#put_off + 1] = function()
        call('SET', key.late(account, name), id .. ' ' .. int(later(span)), 'PX', int(span))
    end
end

-- Moves a submission from `old` to `new`, both as `load` gives them, in everything but its record.
local function move(old, new)
    unschedule(old)
    schedule(new)
    if old.state == new.state then return end
    append_event(new.id, new.account, new.name, new.state, new.reason)
    place(key.state(old.state, old.account), old.id, false)
    place(key.state(new.state, new.account), new.id, new.seq)
    local was, is = FINAL[old.state], FINAL[new.state]
    if is then place(key.finished, new.id, now_text) end
    if is and not was then
        -- At once: the earliest of the name is looked for next.
        call('ZADD', key.name(new.account, new.name), '-' .. int(new.seq), new.id)
        free_name(new)
    elseif was and not is then
        place(key.finished, new.id, false)
        call('ZADD', key.name(new.account, new.name), new.seq, new.id)
    end
end
