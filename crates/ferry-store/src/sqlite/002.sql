-- What changed, in its order: the newest of it.
CREATE TABLE events (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    submission TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    reason_code TEXT
);

-- JSON: `domain::submission::Callback`; null if nobody is to be told of the outcome.
ALTER TABLE submissions ADD COLUMN callback TEXT;
-- While that is done for a failed submission: the step to go on with.
ALTER TABLE submissions ADD COLUMN resume TEXT;
