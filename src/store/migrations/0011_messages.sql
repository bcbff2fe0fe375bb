-- Messages that no alias brings about.
--
-- alias: none where the tenant asked for the message itself; then asked_by, asked_in and party say who did, for which
-- audience, and the person under the tenant's index key. Of from_number and from_name at most one is set; with neither
-- the carrier shows the house. disclosed: what the tenant may learn of the text, sealed. carrier to settled_at: how far
-- it got.
CREATE TABLE message_next (
    id           BLOB PRIMARY KEY,
    tenant       BLOB NOT NULL,
    alias        BLOB,
    sender       TEXT NOT NULL,
    from_number  INTEGER,
    from_name    TEXT,
    class        INTEGER NOT NULL,
    to_record    INTEGER,
    to_number    BLOB,
    body         BLOB,
    disclosed    BLOB,
    status       INTEGER NOT NULL,
    parts        INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    asked_by     BLOB,
    asked_in     TEXT,
    party        BLOB,
    carrier      TEXT,
    failure      TEXT,
    submitted_at INTEGER,
    settled_at   INTEGER,
    CHECK ((to_record IS NULL) <> (to_number IS NULL)),
    CHECK (from_number IS NULL OR from_name IS NULL),
    CHECK ((asked_by IS NULL) = (party IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO message_next (id, tenant, alias, sender, from_number, class, to_record, to_number, body, status, parts,
                          created_at, expires_at)
    SELECT id, tenant, alias, sender, from_number, 3, to_record, to_number, body, status, parts, created_at, expires_at
    FROM message ORDER BY id;
DROP TABLE message;
ALTER TABLE message_next RENAME TO message;
CREATE INDEX message_alias ON message (alias, id) WHERE alias IS NOT NULL;
CREATE INDEX message_party ON message (tenant, party, id) WHERE party IS NOT NULL;
CREATE INDEX message_body ON message (expires_at) WHERE body IS NOT NULL OR disclosed IS NOT NULL;
