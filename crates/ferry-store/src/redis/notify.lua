-- Tells the outcome of a submission, again if it was told.
-- KEYS: the namespace.
-- ARGV: the time; the submission.
-- Returns: `missing`; or `refused` and the state; or `unheard` if nobody wants to hear it; or `done`,
--   the time, and what `show` gives.

local id = argument()
local r = load(id)
if not r then return { 'missing' } end
if not FINAL[r.state] then return { 'refused', r.state } end
if r.callback == 0 then return { 'unheard', r.state } end
if not r.leased then
    local new = copy(r)
    if r.step ~= 'notify' then new.resume, new.step = r.step, 'notify' end
    new.due, new.failures = now, 0
    note(new, r.state, 'the outcome is to be told again')
    save(r, new)
end
settle()
return { 'done', int(now), show(id) }
