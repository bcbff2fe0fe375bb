-- What a tenant says about itself, and the texts it sends. profile is JSON without a number.
CREATE TABLE profile (
    tenant  BLOB PRIMARY KEY,
    profile TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- texts: JSON, one text for each locale. registration: JSON, what carriers ask for beside the sender.
CREATE TABLE template (
    id           BLOB PRIMARY KEY,
    tenant       BLOB NOT NULL,
    name         TEXT NOT NULL,
    class        INTEGER NOT NULL,
    texts        TEXT NOT NULL,
    registration TEXT,
    created_at   INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT, WITHOUT ROWID;

-- What a sender was registered under when the message was accepted.
ALTER TABLE message ADD COLUMN registration TEXT;

-- idx: the person under the tenant's index key. By which way the message came, as far as it is known.
CREATE TABLE complaint (
    id      BLOB PRIMARY KEY,
    tenant  BLOB NOT NULL,
    idx     BLOB NOT NULL,
    message BLOB,
    carrier TEXT,
    country TEXT,
    class   INTEGER,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX complaint_message ON complaint (message) WHERE message IS NOT NULL;
CREATE INDEX complaint_tenant ON complaint (tenant, id);
CREATE INDEX complaint_at ON complaint (at);

-- What a receipt counts towards: who took the message or code when, and where it went.
ALTER TABLE message ADD COLUMN country TEXT;
ALTER TABLE verification_send ADD COLUMN carrier TEXT;
ALTER TABLE verification_send ADD COLUMN country TEXT;
ALTER TABLE verification_send ADD COLUMN taken_at INTEGER;

-- Counts by day (since the epoch, UTC). country is empty where it is not known. cost in millionths of the currency;
-- latency from a carrier's taking a message to its word that the device has it, in all, and how many were so quick.
CREATE TABLE traffic (
    tenant      BLOB NOT NULL,
    day         INTEGER NOT NULL,
    country     TEXT NOT NULL,
    channel     TEXT NOT NULL,
    class       INTEGER NOT NULL,
    carrier     TEXT NOT NULL,
    messages    INTEGER NOT NULL,
    parts       INTEGER NOT NULL,
    cost        INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,
    undelivered INTEGER NOT NULL,
    expired     INTEGER NOT NULL,
    rejected    INTEGER NOT NULL,
    unknown     INTEGER NOT NULL,
    latency_ms  INTEGER NOT NULL,
    within_5s   INTEGER NOT NULL,
    within_30s  INTEGER NOT NULL,
    PRIMARY KEY (tenant, day, country, channel, class, carrier)
) STRICT, WITHOUT ROWID;
CREATE INDEX traffic_day ON traffic (day);

CREATE TABLE conversion (
    tenant    BLOB NOT NULL,
    day       INTEGER NOT NULL,
    started   INTEGER NOT NULL,
    approved  INTEGER NOT NULL,
    canceled  INTEGER NOT NULL,
    expired   INTEGER NOT NULL,
    exhausted INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversion_day ON conversion (day);

-- What was spent on a day against caps. payer: the tenant, an alias or a stranger. told: the share that was told of.
CREATE TABLE spend (
    tenant BLOB NOT NULL,
    payer  BLOB NOT NULL,
    day    INTEGER NOT NULL,
    parts  INTEGER NOT NULL,
    cost   INTEGER NOT NULL,
    told   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, payer, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX spend_day ON spend (day);
