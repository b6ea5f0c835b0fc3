-- Undoes claims whose steps were not begun.
-- KEYS: the namespace.
-- ARGV: the time; how many; of each: submission, fence.
-- Returns: nothing.
-- Bounded by what is handed over.

for _ = 1, number() do
    local id, fence = argument(), number()
    local r = load(id)
    if r and r.fence == fence and r.leased then
        local new, fields = copy(r), {}
        new.leased = nil
        new.deliveries = max(0, r.deliveries - 1)
        if r.step == 'upload' then
            new.state = 'queued'
            new.attempts = max(0, r.attempts - 1)
            if not r.reason then note(id, 'queued', 'given back by a stopping worker') end
        end
        if r.cancelling then
            new, fields = finish(new, 'cancelled', 'cancelled')
            note(id, 'cancelled', 'cancelled')
        end
        save(r, new, fields)
    end
end
settle()
