-- Labels and names are looked for within an account, so that a list of one account passes nothing of others.
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
    FROM labels_of_all l JOIN submissions s ON s.seq = l.submission
    ORDER BY 1, 2, 3, 4;
DROP TABLE labels_of_all;
DROP INDEX by_name;
CREATE INDEX by_name ON submissions (account, name);
