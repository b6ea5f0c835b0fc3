-- Compares the server's clock with the store's time, which runs evenly.
-- KEYS: the namespace.
-- ARGV: the time; by how much the server's clock stepped, as the caller saw it, or 0; the offset that the
--   caller knows; the milliseconds in which it saw the step; the start of its machine, or nothing; its
--   monotonic time before and after it read the server's clock; whether it can know if that stepped.
-- Returns: by how much the clock stepped; the time with its offset; 0 if the caller is to wait for others,
--   and nothing was changed.
-- Bounded by the accounts, and by the starts that are looked at of each.

local TOLERANCE, ACCOUNTS, STARTS = 2000, 1000, 1000
-- Milliseconds after which no worker runs, or the clock stepped; and how long a machine is remembered.
local ALONE, MACHINE = 10000, 7 * 24 * 3600 * 1000
local step, known, elapsed = number(), number(), number()
local boot, sent, received, is_sure = argument(), argument(), argument(), flag()
local seen = tonumber(call('GET', key.clock_seen))
local gap = seen and now - seen or 0

if not is_sure and gap > ALONE then return { '0', stamp, 0 } end

-- By how much the clock stepped. Another process may have counted that already; and if one compared the
-- clocks meanwhile and saw nothing, the caller's machine stood still.
local function stepped()
    local is_new = known == offset
        and (step > 0 and gap >= step - TOLERANCE or step < 0 and gap <= step + elapsed + TOLERANCE)
    if is_new then return step end
    -- No process saw how it went back.
    return gap < -TOLERANCE and gap or 0
end

local by = seen and stepped() or 0
offset, now = offset + by, now - by
if by ~= 0 then
    call('SET', key.clock, int(offset))
    anything = true
end
call('SET', key.clock_seen, int(max(seen or 0, now)))
if boot ~= '' then
    call('SET', key.machine(boot), int(now) .. ' ' .. sent .. ' ' .. received, 'PX', MACHINE)
end

-- As `Submission::move_start` has it; the end of a wait for a late upload is no start.
local function move_start(id)
    local sound, r = pcall(load, id)
    if not sound or not r or not r.due or r.leased then return end
    if r.reason or r.upload_attempts > 0 then return end
    local late = string.match(call('GET', key.late(r.account, r.name)) or '', ' (%d+)$')
    if tonumber(late) == r.due then return end
    unschedule(r)
    r.due = max(r.due - by, now)
    write(r)
    schedule(r)
end

local function move_starts(index)
    local later = call('ZRANGEBYSCORE', index, '(' .. int(now), '+inf', 'LIMIT', 0, STARTS)
    for _, id in ipairs(later) do move_start(id) end
end

if by ~= 0 then
    for _, account in ipairs(call('ZRANGE', key.accounts, 0, ACCOUNTS - 1)) do
        for _, priority in ipairs(PRIORITIES) do move_starts(key.due('upload', priority, account)) end
        move_starts(key.has_predecessor('upload', account))
    end
end
settle()
return { int(by), int(now) .. ' ' .. int(offset), 1 }
