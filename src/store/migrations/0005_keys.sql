-- keys: grows with every write to wrapped_key, so that every process sees new, changed and gone keys.
INSERT INTO meta VALUES ('keys', 1);

-- How often a key version may have been used: set aside in advance, so that a crash counts too much and never too little.
CREATE TABLE key_use (
    owner   TEXT NOT NULL,
    purpose TEXT NOT NULL,
    version INTEGER NOT NULL,
    uses    INTEGER NOT NULL,
    PRIMARY KEY (owner, purpose, version)
) STRICT, WITHOUT ROWID;

-- Owners whose key-encryption key is to be destroyed, until the KMS has done so.
CREATE TABLE doomed_kek (owner TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- The one pass over all ciphertexts that is under way, and how far it got.
CREATE TABLE reseal_pass (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    started_at INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    after      BLOB NOT NULL,
    looked     INTEGER NOT NULL,
    stale      INTEGER NOT NULL,
    resealed   INTEGER NOT NULL
) STRICT;
