-- Times are the store's own, in milliseconds since the Unix epoch: it runs evenly through steps of the
-- wall clock. `clock_offset` is by how much the wall clock is ahead of it, and `clock_seen` a recent
-- reading, behind which it does not go back.
ALTER TABLE store ADD COLUMN clock_offset INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN clock_seen INTEGER NOT NULL DEFAULT 0;
