-- The health of an account, as `domain::account` has it: what a signal changes, and what is admitted.
-- The contract tests compare the two.

-- After so many doublings a ramp is over.
local RAMP_DOUBLINGS = 10

-- The next four arguments.
local function policy()
    return { failures = number(), initial = number(), most = number(), ramp = number() }
end

-- The knowledge of the rate that the Platform allows, as `domain::account::LearnedRate` has it, is stored as
-- one text of numbers. One that is damaged is forgotten.
local LEARNED = { 'throttled_at', 'row', 'unlimited', 'less', 'from', 'sent', 'since', 'cycle', 'window', 'count', 'last' }

local function decode_learned(text)
    local l, n = {}, 0
    for number in string.gmatch(text or '', '%-?%d+') do
        n = n + 1
        if LEARNED[n] then l[LEARNED[n]] = tonumber(number) end
    end
    return n == #LEARNED and l or nil
end

local function encode_learned(l)
    if not l then return nil end
    local numbers = {}
    for n, name in ipairs(LEARNED) do numbers[n] = int(l[name]) end
    return table.concat(numbers, ' ')
end

local UNREADABLE = "the record of the account's health is damaged; it may have been paused or throttled"

local function decode_health(text)
    local stored = cjson.decode(text)
    local reason, failures = stored.pause_reason, stored.failures
    if type(failures) ~= 'number' then error('no failures') end
    if reason ~= nil and type(reason) ~= 'string' then error('no reason') end
    return {
        pause_reason = reason,
        throttled_until = tonumber(stored.throttled_until),
        capped = stored.capped,
        throttled_since = tonumber(stored.throttled_since),
        throttled_by = stored.throttled_by,
        failures = failures,
        failing_since = tonumber(stored.failing_since),
        last_error = stored.last_error,
        probe = tonumber(stored.probe),
        stopped_by = stored.stopped_by,
        learned = decode_learned(stored.learned),
    }
end

-- Stored as JSON, with times as texts, which keep all digits; empty if nothing is known. One that is damaged
-- pauses its account: it may have been paused.
local function load_health(account)
    local text = call('HGET', key.health, account)
    if not text or text == '' then return { failures = 0 } end
    local sound, health = pcall(decode_health, text)
    if sound then return health end
    return { failures = 0, pause_reason = UNREADABLE }
end

local function save_health(account, h)
    local text = ''
    if h.pause_reason or h.throttled_until or h.probe or h.failures > 0 or h.learned then
        text = cjson.encode({
            pause_reason = h.pause_reason,
            throttled_until = h.throttled_until and int(h.throttled_until),
            capped = h.capped,
            throttled_since = h.throttled_since and int(h.throttled_since),
            throttled_by = h.throttled_by,
            failures = h.failures,
            failing_since = h.failing_since and int(h.failing_since),
            last_error = h.last_error,
            probe = h.probe and int(h.probe),
            stopped_by = h.stopped_by,
            learned = encode_learned(h.learned),
        })
    end
    if type(call('HSET', key.health, account, text)) ~= 'number' then
        -- Another type of value is there, which nothing can read.
        call('DEL', key.health)
        call('HSET', key.health, account, text)
    end
end

local function doublings(throttled_until, p) return floor(max(0, now - throttled_until) / max(1, p.ramp)) end

local function is_ramping(throttled_until, p) return doublings(throttled_until, p) < RAMP_DOUBLINGS end

-- Requests begin again so many percent below the throttled rate, by the number of 429s in a row that came soon
-- after another.
local DEPTHS = { 3, 8, 15, 25, 30 }

-- Requests per 1,000 seconds that may begin now, once a 429 has shown a rate.
local function learned_rate(l)
    local cycles = max(0, now - l.since) / max(1, l.cycle) - 1
    return l.throttled_at * (1 + (DEPTHS[l.row + 1] or 0) / 100 * cycles * cycles * cycles)
end

-- After seven cycles a rate is forgotten.
local function is_old(l) return now - l.since > l.cycle * 7 end

-- The microseconds from one request to the next; nothing while the rate is not known.
local function learned_interval(h)
    if not h.learned or h.learned.throttled_at == 0 or is_old(h.learned) then return nil end
    local DAY = 24 * 3600 * 1e6
    return floor(max(1, min(1e6 / (learned_rate(h.learned) / 1000), DAY)))
end

local function per_1000_seconds(count, millis) return floor(count * 1000000 / millis) end

-- The knowledge after a request that achieved nothing.
local function throttled_one(l)
    l.sent = max(0, l.sent - 1)
    return l
end

-- No knowledge; 429s before `since` add none.
local function nothing(since, cycle)
    return {
        throttled_at = 0, row = 0, unlimited = 0, less = 0, from = now, sent = 0, since = since, cycle = cycle,
        window = since, count = 0, last = 0,
    }
end

-- The knowledge after a 429.
local function learn(before, delay)
    if delay > 60000 or before and now < before.since then return before end
    if before and is_old(before) then before = nil end
    local next = nothing(now + delay, min(600000, max(15000, delay * 40)))
    if not before or before.throttled_at == 0 and before.row == 0 then
        next.row = 1
        return next
    end
    throttled_one(before)
    local achieved = per_1000_seconds(before.sent, max(1, now - before.from))
    local measured = max(before.last, per_1000_seconds(before.count, max(200, now - before.window)))
    if before.throttled_at == 0 and before.row + 1 < 4 then
        next.row, next.from, next.sent = before.row + 1, before.from, before.sent
    elseif before.throttled_at == 0 then
        next.throttled_at, next.unlimited = max(100, measured), achieved
    else
        local less = achieved < floor(before.unlimited * 75 / 100) and before.less + 1 or 0
        if less == 3 then return nothing(next.since + max(120000, next.cycle * 3), next.cycle) end
        local is_soon = now - before.since < floor(before.cycle / 8)
        next.throttled_at = max(100, min(measured, floor(learned_rate(before))))
        next.row = is_soon and min(before.row + 1, #DEPTHS - 1) or 0
        next.unlimited, next.less = before.unlimited, less
    end
    return next
end

-- Counts requests that begin now, if they are counted.
local function count_requests(account, h, count)
    local l = h.learned
    if not l then return end
    if is_old(l) then
        h.learned = nil
        return save_health(account, h)
    end
    local elapsed = now - l.window
    if elapsed >= 2000 then
        l.last = per_1000_seconds(l.count, elapsed)
        l.window, l.count = now, 0
    end
    l.count, l.sent = l.count + count, l.sent + count
    save_health(account, h)
end

-- Number of steps that may be leased: 'open', 'up_to' a number, or 'blocked' until a time, if there is one.
local function admit(h, p)
    if h.pause_reason then return 'blocked' end
    if h.throttled_until and now < h.throttled_until then return 'blocked', h.throttled_until end
    if h.probe then
        if now < h.probe then return 'blocked', h.probe end
        return 'up_to', 1
    end
    if h.capped then return 'up_to', 1 end
    -- What is known of the rate takes the place of a ramp.
    if learned_interval(h) then return 'open' end
    if h.throttled_until and is_ramping(h.throttled_until, p) then return 'up_to', 2 ^ doublings(h.throttled_until, p) end
    return 'open'
end

-- Ramp steps after a reopening for which the kind of step that stopped the account lets others go first.
local TURN_RAMP_STEPS = 4

-- The kinds that call the Platform, twice in their order.
local TURNS = { 'upload', 'poll', 'collect', 'upload', 'poll', 'collect' }

-- Returns true if the one step that may be leased is of this kind.
local function is_turn(h, kind, p, is_due)
    local reopened = max(h.probe or 0, h.throttled_until or 0)
    if not h.stopped_by or now - reopened >= p.ramp * TURN_RAMP_STEPS then return true end
    local after = false
    for _, next_kind in ipairs(TURNS) do
        if after and next_kind == kind then return true end
        if after and is_due(next_kind) then return false end
        after = after or next_kind == h.stopped_by
    end
    return true
end

-- Records what a step reported; returns true if anything changed.
local function record(h, signal, kind, value, p)
    if signal == 'healthy' then
        local throttled_until, capped = h.throttled_until, h.capped
        if capped and throttled_until <= now then
            -- The probe got a response: the ramp begins here.
            throttled_until, capped = now, nil
        end
        if throttled_until and not capped and not is_ramping(throttled_until, p) then throttled_until = nil end
        if not throttled_until then h.throttled_since, h.throttled_by, h.stopped_by = nil, nil, nil end
        local changed = h.failures > 0 or h.probe ~= nil or throttled_until ~= h.throttled_until
            or capped ~= h.capped
        h.failures, h.probe, h.throttled_until, h.capped = 0, nil, throttled_until, capped
        h.failing_since, h.last_error = nil, nil
        return changed
    elseif signal == 'unhealthy' then
        h.failures = h.failures + 1
        h.failing_since, h.last_error = h.failing_since or now, value
        local excess = h.failures - p.failures
        if excess >= 0 then
            if not h.probe or h.probe <= now then
                h.probe = later(min(p.initial * 2 ^ min(excess, 16), p.most))
                h.stopped_by = kind
            else
                h.failures = h.failures - 1
            end
        end
        return true
    elseif signal == 'throttled' or signal == 'capped' then
        local delay, is_rate, response = string.match(value, '^(%d+) (%d) (.*)$')
        local until_then = later(tonumber(delay))
        if is_rate == '1' and h.throttled_until and now < h.throttled_until then
            -- Responses to requests from before the last 429 show nothing new.
            h.learned = h.learned and throttled_one(h.learned)
        elseif is_rate == '1' then
            h.learned = learn(h.learned, tonumber(delay))
        end
        if h.throttled_until and until_then <= h.throttled_until then return is_rate == '1' end
        local lasts = h.capped or h.throttled_until and now < h.throttled_until
        h.throttled_since = lasts and h.throttled_since or now
        h.throttled_by = response ~= '' and response or nil
        h.throttled_until, h.capped = until_then, signal == 'capped' or nil
        h.stopped_by = kind
        return true
    elseif signal == 'credentials_denied' then
        if h.pause_reason then return false end
        h.pause_reason = value
        return true
    end
    return false
end

-- The health of each account that a batch reports about: read and saved once.
local health_of = {}

-- Records what a step reported about its account. Where few are let through at a time, one that ends
-- makes room for another.
local function take_signal(account, signal, kind, value, p)
    local t = health_of[account]
    if not t then
        t = { health = load_health(account) }
        health_of[account] = t
    end
    if admit(t.health, p) ~= 'open' then anything = true end
    if record(t.health, signal, kind, value, p) then t.changed = true end
end

local function save_signals()
    for account, t in pairs(health_of) do
        if t.changed then save_health(account, t.health) end
    end
end
