-- Undoes claims whose steps were not begun.
-- KEYS: the namespace.
-- ARGV: the time; how many; of each: submission, fence.
-- Returns: nothing.
-- Bounded by what is handed over.

for _ = 1, number() do
    local id, fence = argument(), argument()
    local r = load(id)
    if r and has_fence(r.leased, fence) then
        local new = copy(r)
        new.leased = nil
        if r.step == 'upload' then
            new.state = 'queued'
            new.attempts = max(0, r.attempts - 1)
            if not r.reason then note(new, 'queued', 'given back by a stopping worker') end
        end
        -- What has ended cannot be cancelled.
        if r.cancelling and not FINAL[r.state] then
            new = finish(new, 'cancelled', 'cancelled')
            note(new, 'cancelled', 'cancelled')
        end
        save(r, new)
    end
end
settle()
