-- The producer's span that a submission belongs to, as the header of this name has it; null for most.
ALTER TABLE submissions ADD COLUMN traceparent TEXT;
