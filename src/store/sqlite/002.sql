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
