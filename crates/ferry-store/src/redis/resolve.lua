-- Decides about a held submission.
-- KEYS: the namespace.
-- ARGV: the time; the submission; `retry`, `overwrite` or `fail`; the span of the deadline.
-- Returns: `missing`; or `refused` and the state; or `too_late` if there is nothing to overwrite; or
--   `done`, the time, and what `show` gives.

local id, how, deadline = argument(), argument(), number()
local r = load(id)
if not r then return { 'missing' } end
if r.state ~= 'held' then return { 'refused', r.state } end
local new
if how == 'retry' then
    new = go_on(r, 'resolved: to be retried', deadline)
elseif how == 'fail' then
    new = finish(r, 'failed', 'resolved: given up')
elseif r.step == 'upload' then
    new = go_on(r, 'resolved: to overwrite what is there', deadline)
    new.overwrite = true
else
    return { 'too_late' }
end
note(new, new.state, new.text)
save(r, new)
settle()
return { 'done', int(now), show(id) }
