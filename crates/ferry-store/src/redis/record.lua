-- The record of a submission, and the owner of its step.

-- A submission is one string of values in MessagePack: first its head, what scripts act on, in this
-- order; then the cold part, which only Rust reads; then the lines of its timeline. Where there is nothing,
-- a time is -1, and a text empty.
local HEAD = {
    'due', 'updated', 'finished', 'state', 'upload_attempts', 'reason', 'seq', 'name', 'account', 'priority',
    'step', 'requests', 'has_predecessor', 'created', 'deadline', 'done', 'digest', 'id', 'key',
}

-- The place of a field in it.
local field = setmetatable({}, {
    __index = function(places, name)
        for n, known in ipairs(HEAD) do places[known] = n end
        return rawget(places, name)
    end,
})

-- One value of a head.
local function value_of(record, name)
    return (select(field[name] + 1, cmsgpack.unpack_limit(record, field[name])))
end

-- A line of a timeline.
local function line(state, why) return cmsgpack.pack({ now, state, why }) end

-- Owner of a step, as a text: its lease, which is the fence, the kind and the call that claimed it; then
-- `run`, or `stop` if the submission is to end with the step; and the account.
local function claim_of(fence, kind, caller, word, account)
    return fence .. ' ' .. kind .. ' ' .. caller .. ' ' .. word .. ' ' .. account
end

-- The parts of a claim after its fence.
local function parts_of(claim) return string.match(claim, '^%d+ (%l+) (%S+) (%l+) (.*)$') end

-- True if a claim, if there is one, is the one that a lease names.
local function has_lease(claim, lease)
    return claim and string.sub(claim, 1, #lease + 1) == lease .. ' '
end

-- True if a cancellation was requested, so that the submission ends with the step.
local function is_to_stop(claim) return string.match(claim, '^%d+ %l+ %S+ (%l+)') == 'stop' end
