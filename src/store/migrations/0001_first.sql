-- Ids are the 16 bytes of a TypeID, moments are Unix milliseconds, states are small integers (see sqlite/columns.rs).
-- Numbers of people occur only sealed or as blind indexes; x is a pool number and no secret.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- directory: grows with every write to tenant, credential, frozen, audience. records: the next record id never given out.
INSERT INTO meta VALUES ('directory', 1), ('records', 0);

CREATE TABLE tenant (
    id         BLOB PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    mode       INTEGER NOT NULL,
    region     TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    id         BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL REFERENCES tenant (id),
    secret     BLOB NOT NULL UNIQUE,
    person     TEXT NOT NULL,
    role       TEXT NOT NULL,
    audience   TEXT,
    networks   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE frozen (target TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE audience (
    tenant   BLOB NOT NULL REFERENCES tenant (id),
    audience TEXT NOT NULL,
    PRIMARY KEY (tenant, audience)
) STRICT, WITHOUT ROWID;

CREATE TABLE wrapped_key (
    owner      TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    version    INTEGER NOT NULL,
    wrapped    BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (owner, purpose, version)
) STRICT, WITHOUT ROWID;

-- disc is 0 for the record that repeated tokenizing finds, else the id. The index is under a key of the tenant's own,
-- so that it tells tenants apart by itself. Time-ordered ids append; the blind index is the only random key.
CREATE TABLE token (
    id         INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL,
    idx        BLOB NOT NULL,
    disc       INTEGER NOT NULL,
    number     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    metadata   TEXT
) STRICT;
CREATE UNIQUE INDEX token_idx ON token (idx, disc);

CREATE TABLE verification (
    id            BLOB PRIMARY KEY,
    tenant        BLOB NOT NULL,
    party         BLOB NOT NULL,
    purpose       TEXT NOT NULL,
    requester     TEXT NOT NULL,
    credential    BLOB NOT NULL,
    audience      TEXT,
    record        INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    salt          BLOB,
    code_key      INTEGER NOT NULL,
    code_length   INTEGER NOT NULL,
    alphanumeric  INTEGER NOT NULL,
    attempts_left INTEGER NOT NULL,
    channel       TEXT NOT NULL,
    locale        TEXT,
    origin        TEXT,
    app_hash      TEXT,
    amount        TEXT,
    payee         TEXT,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX verification_pending ON verification (tenant, party, purpose, requester) WHERE status = 0;
CREATE INDEX verification_lapse ON verification (expires_at) WHERE status = 0;

CREATE TABLE verification_send (
    verification BLOB NOT NULL REFERENCES verification (id),
    n            INTEGER NOT NULL,
    channel      TEXT NOT NULL,
    status       INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (verification, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE failure (
    tenant BLOB NOT NULL,
    party  BLOB NOT NULL,
    day    INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (tenant, party, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX failure_day ON failure (day);

CREATE TABLE pool (
    id         BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL,
    name       TEXT NOT NULL,
    carrier    TEXT NOT NULL,
    shared     INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT, WITHOUT ROWID;

-- use: what x carries. free nothing; star one alias that anyone may write to; pair aliases between named parties;
-- cool nothing, but parties of ended pairs may not meet others here until idle_until; rest nothing, but strangers may
-- still write to the person who last had it as a star, until idle_until. spread orders the pool at random.
CREATE TABLE number (
    x            INTEGER PRIMARY KEY,
    pool         BLOB NOT NULL REFERENCES pool (id),
    region       TEXT,
    capabilities TEXT NOT NULL,
    draining     INTEGER NOT NULL,
    use          TEXT NOT NULL CHECK (use IN ('free', 'star', 'pair', 'cool', 'rest')),
    spread       INTEGER NOT NULL,
    idle_until   INTEGER NOT NULL DEFAULT 0,
    rest_tenant  BLOB,
    rest_party   BLOB,
    created_at   INTEGER NOT NULL,
    UNIQUE (x, use)
) STRICT;
CREATE INDEX number_choice ON number (pool, draining, use, spread);
CREATE INDEX number_region ON number (pool, draining, use, region, spread);
CREATE INDEX number_idle ON number (idle_until) WHERE use IN ('cool', 'rest');
CREATE INDEX number_rest ON number (rest_party) WHERE use = 'rest';

CREATE TABLE alias (
    id         BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL,
    mode       INTEGER NOT NULL,
    x          INTEGER NOT NULL,
    pool       BLOB NOT NULL,
    a_record   INTEGER NOT NULL,
    a_index    BLOB NOT NULL,
    b_record   INTEGER,
    b_index    BLOB,
    audience   TEXT,
    credential BLOB NOT NULL,
    status     INTEGER NOT NULL,
    metadata   TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_tenant ON alias (tenant, id);
CREATE INDEX alias_x ON alias (x, id);
CREATE INDEX alias_lapse ON alias (expires_at) WHERE status = 0 AND expires_at IS NOT NULL;

-- Live legs only. The primary key gives (x, party) to one alias among all tenants; the reference to (x, use) keeps a
-- star and a pair from ever sharing an x. An empty party is anyone; an empty target is the alias's senders.
CREATE TABLE leg (
    x          INTEGER NOT NULL,
    party      BLOB NOT NULL,
    use        TEXT NOT NULL CHECK (use IN ('star', 'pair')),
    alias      BLOB NOT NULL REFERENCES alias (id),
    tenant     BLOB NOT NULL,
    target     INTEGER,
    expires_at INTEGER,
    PRIMARY KEY (x, party),
    FOREIGN KEY (x, use) REFERENCES number (x, use)
) STRICT, WITHOUT ROWID;
CREATE INDEX leg_party ON leg (party, x) WHERE party <> x'';
CREATE INDEX leg_alias ON leg (alias);

-- Whom (x, party) stood for lately, and until when nobody else may.
CREATE TABLE cooling (
    x           INTEGER NOT NULL,
    party       BLOB NOT NULL,
    counterpart BLOB,
    until       INTEGER NOT NULL,
    PRIMARY KEY (x, party)
) STRICT, WITHOUT ROWID;
CREATE INDEX cooling_party ON cooling (party, x);
CREATE INDEX cooling_until ON cooling (until);

CREATE TABLE sender (
    alias  BLOB NOT NULL,
    tag    INTEGER NOT NULL,
    idx    BLOB NOT NULL,
    number BLOB NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (alias, tag),
    UNIQUE (alias, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX sender_until ON sender (until);

-- Exactly one of to_record and to_number is set.
CREATE TABLE message (
    id          BLOB PRIMARY KEY,
    tenant      BLOB NOT NULL,
    alias       BLOB NOT NULL,
    sender      TEXT NOT NULL,
    from_number INTEGER NOT NULL,
    to_record   INTEGER,
    to_number   BLOB,
    body        BLOB,
    status      INTEGER NOT NULL,
    parts       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    CHECK ((to_record IS NULL) <> (to_number IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX message_alias ON message (alias, id);
CREATE INDEX message_body ON message (expires_at) WHERE body IS NOT NULL;

CREATE TABLE part (
    carrier   TEXT NOT NULL,
    x         INTEGER NOT NULL,
    sender    BLOB NOT NULL,
    reference INTEGER NOT NULL,
    total     INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    body      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (carrier, x, sender, reference, total, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX part_at ON part (at);

-- ready is due, or the end of the lease if one runs. head marks the one row of a conversation that may be claimed, so
-- that a claim never walks over rows that wait behind it.
CREATE TABLE outbox (
    id           BLOB PRIMARY KEY,
    tenant       BLOB NOT NULL,
    task         BLOB NOT NULL,
    lane         INTEGER NOT NULL,
    conversation BLOB NOT NULL,
    credential   BLOB,
    policy       TEXT NOT NULL,
    due          INTEGER NOT NULL,
    ready        INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    holder       TEXT,
    head         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_conversation ON outbox (conversation, id);
CREATE INDEX outbox_heads ON outbox (lane, ready, id) WHERE head = 1;

-- The rowid is the order of coming, which sweeping follows.
CREATE TABLE submission (
    carrier TEXT NOT NULL,
    part    TEXT NOT NULL,
    tenant  BLOB NOT NULL,
    task    BLOB NOT NULL,
    status  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (carrier, part)
) STRICT;
CREATE INDEX submission_task ON submission (task);

CREATE TABLE early_receipt (
    carrier TEXT NOT NULL,
    part    TEXT NOT NULL,
    status  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (carrier, part)
) STRICT;

-- Processes that have written here, by a number that is short.
CREATE TABLE node (
    n  INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE
) STRICT;

-- The text is packed (sqlite/packed.rs). Salt and text may go by retention or erasure; the row and its leaf stay for
-- ever, so that each entry's previous leaf is that of the row before.
CREATE TABLE log (
    idx    INTEGER PRIMARY KEY,
    node   INTEGER NOT NULL,
    tenant BLOB,
    at     INTEGER NOT NULL,
    leaf   BLOB NOT NULL,
    salt   BLOB,
    text   BLOB
) STRICT;
-- Appends at one place per tenant; at is in it so that time filters read no text.
CREATE INDEX log_tenant ON log (tenant, idx, at);
