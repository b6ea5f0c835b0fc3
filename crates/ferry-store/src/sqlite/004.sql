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
