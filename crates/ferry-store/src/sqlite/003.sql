-- The mark of a name: the submission of it that ended last without it being known whether its dataset is at
-- the Platform. It outlives the submission, until an upload of the name is accepted.
CREATE TABLE name_marks (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    submission TEXT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
