-- Usage of the limits of an account, as `domain::limits` has it. The contract tests compare the two.

local BURST = 40000
local now_micros = now * 1000

-- The next arguments: how many accounts have limits for a kind of step, and of each its name, the
-- microseconds from one upload to the next, the same for requests, and how many uploads may be in
-- flight; empty for no limit.
local function read_limits()
    local limits = {}
    for _ = 1, number() do
        local account = argument()
        limits[account] = { uploads = number(), requests = number(), in_flight = number() }
    end
    return limits
end

local function used_until(rate, account)
    -- A usage that is damaged limits nothing.
    return tonumber(call('HGET', key.limit_usage, rate .. ':' .. account) or 0) or 0
end

-- Number of steps that may begin now, and, if none may, the time at which the next one may.
local function limits_available(account, limits)
    local left, at = math.huge, now_micros
    for _, rate in ipairs({ 'uploads', 'requests' }) do
        local interval = limits[rate]
        if interval then
            local used, burst = used_until(rate, account), max(BURST, interval)
            left = min(left, max(0, floor((now_micros + burst - max(used, now_micros)) / interval)))
            at = max(at, used + interval - burst)
        end
    end
    return left, math.ceil(at / 1000)
end

-- Notes that steps with so many requests in all begin now.
local function record_usage(account, limits, count)
    for _, rate in ipairs({ 'uploads', 'requests' }) do
        local interval = limits[rate]
        if interval then
            local used = max(used_until(rate, account), now_micros) + interval * count
            call('HSET', key.limit_usage, rate .. ':' .. account, int(min(used, FOREVER)))
        end
    end
end
