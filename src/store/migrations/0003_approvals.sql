-- What somebody asked for that needs a second person, and what came of it. expires_at is until when it may be decided,
-- and once it is approved until when it may be used. binding is keyed: it tells nothing of what was asked for.
CREATE TABLE approval (
    id              BLOB PRIMARY KEY,
    tenant          BLOB NOT NULL REFERENCES tenant (id),
    credential      BLOB NOT NULL REFERENCES credential (id),
    person          TEXT NOT NULL,
    action          TEXT NOT NULL,
    purpose         TEXT,
    reference       TEXT,
    binding         BLOB NOT NULL,
    policy          TEXT NOT NULL,
    summary         TEXT NOT NULL,
    status          INTEGER NOT NULL,
    approver        BLOB REFERENCES credential (id),
    approver_person TEXT,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    decided_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX approval_tenant ON approval (tenant, id);
CREATE INDEX approval_open ON approval (expires_at) WHERE status IN (0, 1);

-- What a credential spent of a daily budget. A day is counted from the epoch in UTC; told: the log knows that it ran out.
CREATE TABLE budget (
    credential BLOB NOT NULL,
    kind       INTEGER NOT NULL,
    day        INTEGER NOT NULL,
    spent      INTEGER NOT NULL,
    told       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (credential, kind, day)
) STRICT, WITHOUT ROWID;

-- Reveals by hour from the epoch, for alerts.
CREATE TABLE reveal_hour (
    credential BLOB NOT NULL,
    hour       INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (credential, hour)
) STRICT, WITHOUT ROWID;
