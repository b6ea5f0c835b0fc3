-- Goes on with a failed submission where it stopped.
-- KEYS: the namespace.
-- ARGV: the time; the submission; the span of the deadline.
-- Returns: `missing`; or `refused` and the state; or `superseded` and the Name; or `done`, the time,
--   and what `show` gives.

local id, deadline = argument(), number()
local r = load(id)
if not r then return { 'missing' } end
if r.state ~= 'failed' then return { 'refused', r.state } end
local index = key.name(r.account, r.name)
-- Those that are final stand there by the negative.
local seq = int(r.seq)
local newer = call('ZCOUNT', index, '(' .. seq, '+inf') + call('ZCOUNT', index, '-inf', '(-' .. seq)
if newer > 0 then return { 'superseded', r.name } end
local new = go_on(r, 'retried', deadline)
note(new, new.state, new.text)
save(r, new)
settle()
return { 'done', int(now), show(id) }
