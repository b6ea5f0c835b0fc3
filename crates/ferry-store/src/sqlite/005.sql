-- Labels, names, times and leases are looked for within an account, so that what is read of one account passes
-- nothing of others.
ALTER TABLE labels RENAME TO labels_of_all;
CREATE TABLE labels (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    submission INTEGER NOT NULL,
    PRIMARY KEY (account, key, value, submission)
) WITHOUT ROWID;
INSERT INTO labels
    SELECT s.account, l.key, l.value, l.submission
    FROM labels_of_all l JOIN submissions s ON s.seq = l.submission;
DROP TABLE labels_of_all;
DROP INDEX by_name;
CREATE INDEX by_name ON submissions (account, name);
CREATE INDEX by_time ON submissions (account, created_at);
CREATE INDEX leased_by_account ON submissions (account, step) WHERE leased_until IS NOT NULL;
