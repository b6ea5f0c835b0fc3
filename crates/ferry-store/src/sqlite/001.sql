-- One row a submission: the columns are those that statements look for or write alone, and `cold` is the
-- rest, as `store::cold` has it.
CREATE TABLE submissions (
    -- The order of acceptance: revisions of a name run in it, and lists go backwards through it.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    -- 0 high, 1 normal, 2 low.
    priority INTEGER NOT NULL,
    upload_attempts INTEGER NOT NULL DEFAULT 0,
    -- All times in milliseconds since the Unix epoch.
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- Set exactly while the state is final.
    finished_at INTEGER,
    deadline INTEGER NOT NULL,
    step TEXT,
    due_at INTEGER,
    -- Set exactly while a worker owns the step.
    leased_until INTEGER,
    -- 1 while an earlier submission of the account and name is not final.
    has_predecessor INTEGER NOT NULL DEFAULT 0,
    -- Grows with every claim.
    fence INTEGER NOT NULL DEFAULT 0,
    -- The call that claimed it last.
    claimed_by TEXT NOT NULL DEFAULT '',
    idempotency_key TEXT,
    -- Of the content, as it was accepted.
    digest TEXT NOT NULL,
    -- MessagePack.
    cold BLOB NOT NULL
);

-- The last two columns are constant, and spare a count the way to the rows.
CREATE INDEX ready ON submissions (step, account, priority, due_at, leased_until, has_predecessor)
    WHERE due_at IS NOT NULL AND leased_until IS NULL AND has_predecessor = 0;
CREATE INDEX queued_by_name ON submissions (step, account, due_at, has_predecessor)
    WHERE has_predecessor = 1;
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
    message TEXT NOT NULL,
    PRIMARY KEY (submission, entry)
) WITHOUT ROWID;

CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    -- JSON: `domain::account::Health`.
    health TEXT NOT NULL,
    -- JSON: `domain::limits::LimitUsage`; null while the account has no limits.
    limit_usage TEXT
) WITHOUT ROWID;

-- Numbers of submissions, so that a read does not have to count them.
CREATE TABLE counts (
    account TEXT NOT NULL,
    state TEXT NOT NULL,
    submissions INTEGER NOT NULL,
    PRIMARY KEY (account, state)
) WITHOUT ROWID;

-- Changes of a state, in their order: the newest of them.
CREATE TABLE events (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    submission TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    reason_code TEXT
);

-- Identity of the store; one row.
CREATE TABLE store (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- Epochs, separated by spaces: the current one, and before it those whose data an operator
    -- acknowledged as lost, newest first.
    epochs TEXT NOT NULL,
    -- Loss that a process reported and no operator has acknowledged yet.
    lost TEXT
);
INSERT INTO store VALUES (1, lower(hex(randomblob(8))), NULL);
