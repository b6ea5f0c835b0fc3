-- Calls a submission off: at once, or, if a step of it is running, as soon as that ends.
-- KEYS: the namespace.
-- ARGV: the time; the submission.
-- Returns: `missing`; or `refused` and the state; or `done`, the time, and what `show` gives.

local id = argument()
local r = load(id)
if not r then return { 'missing' } end
if FINAL[r.state] then return { 'refused', r.state } end
if not r.leased then
    local new = finish(r, 'cancelled', 'cancelled')
    note(new, 'cancelled', 'cancelled')
    save(r, new)
elseif not r.cancelling then
    r.cancelling = true
    note(r, r.state, 'to be cancelled as soon as the running step ends')
    write(r)
    written[key.claim(id)] = string.gsub(r.leased, ' run ', ' stop ', 1)
end
settle()
return { 'done', int(now), show(id) }
