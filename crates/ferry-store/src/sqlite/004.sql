-- The monotonic time at `clock_seen`, in milliseconds since the start of the machine, of which `clock_boot`
-- is a number. With it, a new process sees a step of the wall clock that no other one saw.
ALTER TABLE store ADD COLUMN clock_monotonic INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN clock_boot INTEGER;
