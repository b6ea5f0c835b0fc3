-- The processes that use the store: each has its last heartbeat, as JSON, and the time of that.
CREATE TABLE processes (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    heartbeat TEXT NOT NULL
) WITHOUT ROWID;
