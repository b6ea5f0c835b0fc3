-- One row a submission: what it is, where it stands, and the step that is due.
CREATE TABLE submissions (
    -- The order of acceptance: revisions of a Name run in it, and lists go backwards through it.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    reason_code TEXT,
    reason TEXT,
    -- 0 high, 1 normal, 2 low.
    priority INTEGER NOT NULL,
    overwrite INTEGER NOT NULL,
    -- As it was accepted; a person may allow more later.
    overwrite_asked INTEGER NOT NULL,
    -- JSON: an array of strings.
    result_keys TEXT NOT NULL,
    -- JSON: an object of strings; the table `labels` is for finding them.
    labels TEXT NOT NULL,
    payload_bytes INTEGER NOT NULL,
    -- All times in milliseconds since the Unix epoch.
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- Set exactly while the state is final.
    finished_at INTEGER,
    deadline INTEGER NOT NULL,
    revision_of TEXT,
    idempotency_key TEXT,
    processing_token TEXT,
    rejection TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    polls INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0,
    step TEXT,
    due_at INTEGER,
    -- Set exactly while a worker holds the step.
    leased_until INTEGER,
    -- Grows with every claim.
    fence INTEGER NOT NULL DEFAULT 0,
    -- Claims since the last one that committed.
    deliveries INTEGER NOT NULL DEFAULT 0,
    -- 1 while an earlier submission of the account and Name is not final.
    blocked INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    -- JSON: an array of what `contents` holds.
    results TEXT NOT NULL DEFAULT '[]'
);

-- The last two columns are constant, and spare a count the way to the rows.
CREATE INDEX ready ON submissions (step, account, priority, due_at, leased_until, blocked)
    WHERE due_at IS NOT NULL AND leased_until IS NULL AND blocked = 0;
CREATE INDEX blocked ON submissions (account, due_at, blocked) WHERE blocked = 1;
CREATE INDEX leased ON submissions (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX unfinished ON submissions (account, name) WHERE finished_at IS NULL;
CREATE INDEX finished ON submissions (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX by_name ON submissions (name);
CREATE INDEX by_state ON submissions (account, state);
CREATE UNIQUE INDEX idempotency ON submissions (account, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE labels (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    submission INTEGER NOT NULL,
    PRIMARY KEY (key, value, submission)
) WITHOUT ROWID;

-- The CSV texts, zstd-compressed, with their sizes before compression.
CREATE TABLE payloads (
    submission INTEGER PRIMARY KEY,
    data BLOB NOT NULL,
    data_bytes INTEGER NOT NULL,
    event_data BLOB,
    event_data_bytes INTEGER
);

-- Results and feedback, zstd-compressed, with the size before compression.
CREATE TABLE contents (
    submission INTEGER NOT NULL,
    key TEXT NOT NULL,
    content_type TEXT,
    body BLOB NOT NULL,
    body_bytes INTEGER NOT NULL,
    UNIQUE (submission, key)
);

CREATE TABLE timeline (
    submission INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (submission, entry)
) WITHOUT ROWID;

CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    -- JSON: `domain::account::Health`.
    health TEXT NOT NULL,
    -- JSON: `domain::budget::Spent`; null while the account has no limits.
    spent TEXT
) WITHOUT ROWID;

-- How many submissions there are, so that nobody has to count them.
CREATE TABLE counts (
    account TEXT NOT NULL,
    state TEXT NOT NULL,
    submissions INTEGER NOT NULL,
    PRIMARY KEY (account, state)
) WITHOUT ROWID;
