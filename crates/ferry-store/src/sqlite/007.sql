-- The upload of a name that may still arrive, or might until then: those of other submissions of the name wait.
CREATE TABLE late_uploads (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    submission TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
