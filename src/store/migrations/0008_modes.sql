-- All six modes of aliases: extensions, a second number, teams; and numbers by lots, so that a choice by region,
-- capability, reach or carrier walks along those numbers alone that fit.

-- kind of a leg's target: 0 the person of `target`, 1 tagged senders, 2 the last sender, 3 members.
ALTER TABLE alias ADD COLUMN y INTEGER;
ALTER TABLE alias ADD COLUMN extension TEXT;
ALTER TABLE alias ADD COLUMN disclose INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alias ADD COLUMN unknown INTEGER NOT NULL DEFAULT 1;
ALTER TABLE alias ADD COLUMN content TEXT;
ALTER TABLE alias ADD COLUMN capabilities TEXT NOT NULL DEFAULT 'sms';
-- Aliases of before were bound with the one policy there was.
UPDATE alias SET unknown = 0;
CREATE INDEX alias_y ON alias (y, id) WHERE y IS NOT NULL;
-- Whose extensions a number carries.
CREATE INDEX alias_owner ON alias (x, a_index) WHERE extension IS NOT NULL AND status = 0;

CREATE TABLE alias_member (
    alias  BLOB NOT NULL REFERENCES alias (id) ON DELETE CASCADE,
    n      INTEGER NOT NULL,
    record INTEGER NOT NULL,
    idx    BLOB NOT NULL,
    PRIMARY KEY (alias, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_member_idx ON alias_member (idx);

-- Numbers of a pool that are alike. Lists are words separated by spaces. The counts are of numbers by state, kept by
-- the triggers below.
CREATE TABLE lot (
    id           INTEGER PRIMARY KEY,
    pool         BLOB NOT NULL REFERENCES pool (id),
    region       TEXT,
    capabilities TEXT NOT NULL,
    reach        TEXT NOT NULL,
    carriers     TEXT NOT NULL,
    free         INTEGER NOT NULL DEFAULT 0,
    bound        INTEGER NOT NULL DEFAULT 0,
    cooling      INTEGER NOT NULL DEFAULT 0,
    draining     INTEGER NOT NULL DEFAULT 0,
    aside        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX lot_traits ON lot (pool, coalesce(region, ''), capabilities, reach, carriers);
INSERT INTO lot (pool, region, capabilities, reach, carriers)
    SELECT DISTINCT pool, region, capabilities, '', '' FROM number;

-- use: what x carries. free nothing; star one alias that anyone may write to; pair aliases between named people; ext
-- aliases told apart by extension, or none any more while strangers may still write to old ones; cool nothing, but people
-- of ended pairs may not meet others here until idle_until; rest nothing, but strangers may still write to the person who
-- last had it as a star, until idle_until. load: how many aliases x carries. aside: why an operator set it aside. spread
-- orders the lot at random.
CREATE TABLE number_new (
    x            INTEGER PRIMARY KEY,
    pool         BLOB NOT NULL REFERENCES pool (id),
    lot          INTEGER NOT NULL REFERENCES lot (id),
    draining     INTEGER NOT NULL,
    aside        TEXT,
    use          TEXT NOT NULL CHECK (use IN ('free', 'star', 'pair', 'ext', 'cool', 'rest')),
    load         INTEGER NOT NULL DEFAULT 0,
    spread       INTEGER NOT NULL,
    idle_until   INTEGER NOT NULL DEFAULT 0,
    rest_tenant  BLOB,
    rest_party   BLOB,
    created_at   INTEGER NOT NULL,
    state        TEXT NOT NULL GENERATED ALWAYS AS (CASE
                     WHEN aside IS NOT NULL THEN 'aside' WHEN draining THEN 'draining' WHEN load > 0 THEN 'bound'
                     WHEN use = 'free' THEN 'free' ELSE 'cooling' END) VIRTUAL,
    UNIQUE (x, use)
) STRICT;
INSERT INTO number_new (x, pool, lot, draining, use, load, spread, idle_until, rest_tenant, rest_party, created_at)
    SELECT number.x, number.pool, lot.id, number.draining, use,
           (SELECT count(DISTINCT alias) FROM leg WHERE leg.x = number.x),
           spread, idle_until, rest_tenant, rest_party, created_at
    FROM number JOIN lot ON lot.pool = number.pool AND lot.region IS number.region
                        AND lot.capabilities = number.capabilities;

-- shown: what the receiver sees as the sender. party: empty is anyone, 16 bytes are a person, 1 to 8 digits an extension;
-- a person's leg to an extension is a session and ends by itself.
CREATE TABLE leg_new (
    x          INTEGER NOT NULL,
    party      BLOB NOT NULL CHECK (length(party) <= 8 OR length(party) = 16),
    use        TEXT NOT NULL CHECK (use IN ('star', 'pair', 'ext')),
    alias      BLOB NOT NULL REFERENCES alias (id),
    tenant     BLOB NOT NULL,
    shown      INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    target     INTEGER,
    expires_at INTEGER,
    PRIMARY KEY (x, party),
    FOREIGN KEY (x, use) REFERENCES number_new (x, use),
    CHECK ((kind = 0) = (target IS NOT NULL)),
    -- Digits are an extension's, nobody but a star's owner has a leg for anyone.
    CHECK (length(party) BETWEEN 1 AND 8 AND use = 'ext' OR party = x'' AND use = 'star' OR length(party) = 16)
) STRICT, WITHOUT ROWID;
INSERT INTO leg_new (x, party, use, alias, tenant, shown, kind, target, expires_at)
    SELECT x, party, use, alias, tenant, x, target IS NULL, target, expires_at FROM leg;

DROP TABLE leg;
DROP TABLE number;
ALTER TABLE number_new RENAME TO number;
ALTER TABLE leg_new RENAME TO leg;

CREATE INDEX leg_party ON leg (party, x) WHERE party <> x'';
CREATE INDEX leg_alias ON leg (alias);
CREATE INDEX leg_session ON leg (expires_at) WHERE use = 'ext' AND length(party) = 16;

CREATE INDEX number_choice ON number (lot, use, spread) WHERE draining = 0 AND aside IS NULL;
CREATE INDEX number_load ON number (lot, use, load, spread) WHERE draining = 0 AND aside IS NULL AND use IN ('pair', 'ext');
CREATE INDEX number_idle ON number (idle_until) WHERE use IN ('cool', 'rest') OR (use = 'ext' AND load = 0);
CREATE INDEX number_lapsed ON number (lot, idle_until) WHERE use IN ('cool', 'rest');
CREATE INDEX number_rest ON number (rest_party) WHERE use = 'rest';
CREATE INDEX number_pool ON number (pool, x);
CREATE INDEX number_aside ON number (pool, x) WHERE aside IS NOT NULL;

UPDATE lot SET (free, bound, cooling, draining, aside) = (
    SELECT coalesce(sum(state = 'free'), 0), coalesce(sum(state = 'bound'), 0), coalesce(sum(state = 'cooling'), 0),
           coalesce(sum(state = 'draining'), 0), coalesce(sum(state = 'aside'), 0)
    FROM number WHERE number.lot = lot.id);

CREATE TRIGGER number_added AFTER INSERT ON number BEGIN
    UPDATE lot SET free = free + (new.state = 'free'), bound = bound + (new.state = 'bound'),
        cooling = cooling + (new.state = 'cooling'), draining = draining + (new.state = 'draining'),
        aside = aside + (new.state = 'aside')
    WHERE id = new.lot;
END;
CREATE TRIGGER number_moved AFTER UPDATE OF use, load, draining, aside ON number WHEN new.state <> old.state BEGIN
    UPDATE lot SET free = free + (new.state = 'free') - (old.state = 'free'),
        bound = bound + (new.state = 'bound') - (old.state = 'bound'),
        cooling = cooling + (new.state = 'cooling') - (old.state = 'cooling'),
        draining = draining + (new.state = 'draining') - (old.state = 'draining'),
        aside = aside + (new.state = 'aside') - (old.state = 'aside')
    WHERE id = new.lot;
END;
CREATE TRIGGER number_gone AFTER DELETE ON number BEGIN
    UPDATE lot SET free = free - (old.state = 'free'), bound = bound - (old.state = 'bound'),
        cooling = cooling - (old.state = 'cooling'), draining = draining - (old.state = 'draining'),
        aside = aside - (old.state = 'aside')
    WHERE id = old.lot;
END;

-- Also tells which number two people had last.
DROP INDEX alias_a;
CREATE INDEX alias_a ON alias (a_index, b_index);
