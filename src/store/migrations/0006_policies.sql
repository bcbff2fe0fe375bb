-- Every version of the policies that was ever proposed or in force. At most one is in force. What it consists of stands
-- last, so that lists do not read it.
CREATE TABLE policy (
    version      TEXT NOT NULL PRIMARY KEY,
    status       INTEGER NOT NULL,
    source       INTEGER NOT NULL,
    base         TEXT,
    proposer     TEXT NOT NULL,
    approver     TEXT,
    proposed_at  INTEGER NOT NULL,
    activated_at INTEGER,
    ended_at     INTEGER,
    files        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX policy_active ON policy (status) WHERE status = 1;
CREATE INDEX policy_order ON policy (proposed_at, version);
