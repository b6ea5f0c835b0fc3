-- How a submission is stored, and who holds its step.

-- A submission is one string of values in MessagePack: first its head, what scripts act on, in this
-- order; then what only `record.rs` reads; then the lines of its timeline. Where there is nothing, a time
-- is -1, and a text empty.
local HEAD = {
    'due', 'updated', 'finished', 'state', 'attempts', 'reason', 'seq', 'name', 'account', 'priority',
    'step', 'resume', 'text', 'failures', 'deliveries', 'requests', 'callback', 'overwrite', 'blocked',
    'cancelling', 'doubt', 'created', 'deadline', 'done', 'digest', 'id',
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

-- Who holds a step, as a text: the fence, `run` or `stop`, the kind, a name of the call, the account.
local function claim_of(fence, word, kind, caller, account)
    return fence .. ' ' .. word .. ' ' .. kind .. ' ' .. caller .. ' ' .. account
end

-- The parts of a claim after its fence.
local function parts_of(claim) return string.match(claim, '^%d+ (%l+) (%l+) (%S+) (.*)$') end

-- Whether a claim, if there is one, has this fence, which is a text.
local function has_fence(claim, fence)
    return claim and string.sub(claim, 1, #fence + 1) == fence .. ' '
end

-- Whether somebody asked for a cancellation, so that the submission ends with the step.
local function is_to_stop(claim) return string.match(claim, '^%d+ (%l+)') == 'stop' end
