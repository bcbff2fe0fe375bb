-- Where tenants are told of events. The secret is derived from a salt; the one before goes on signing until old_until.
-- disabled says why it is not called. One that is deleted stays, empty, until its deliveries are gone.
CREATE TABLE webhook (
    id            BLOB PRIMARY KEY,
    tenant        BLOB NOT NULL,
    url           TEXT NOT NULL,
    events        TEXT NOT NULL,
    audience      TEXT,
    salt          BLOB NOT NULL,
    old_salt      BLOB,
    old_until     INTEGER,
    disabled      TEXT,
    failing_since INTEGER,
    created_at    INTEGER NOT NULL,
    deleted       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_tenant ON webhook (tenant, id);
CREATE INDEX webhook_deleted ON webhook (id) WHERE deleted = 1;

-- One event for one endpoint, by the event's place in the log; the rowid is the order of coming, which aging follows. No
-- content: bodies are made when they are sent. record is that of an erased token, which the log does not name.
-- state: 0 waiting, 1 delivered, 2 dropped.
CREATE TABLE webhook_delivery (
    webhook  BLOB NOT NULL,
    tenant   BLOB NOT NULL,
    idx      INTEGER NOT NULL,
    action   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    record   INTEGER,
    state    INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    code     INTEGER,
    fault    TEXT,
    tried_at INTEGER,
    UNIQUE (webhook, idx)
) STRICT;
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (webhook, idx) WHERE state = 0;

-- Grows with every write that changes who is told of what.
INSERT INTO meta VALUES ('webhooks', 1);
