-- What people's rights need: lists of erased people, indexes that find everything of one person, and what retention
-- walks along. A person is found by blind index: verifications and failures under the tenant's key, aliases and seats
-- under their pool's.

-- erasures: whether sealed tokens of this tenant were ever erased. erased_at: the whole tenant is; cleared: of which
-- nothing is left but this row and the log.
ALTER TABLE tenant ADD COLUMN erasures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN erased_at INTEGER;
ALTER TABLE tenant ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;

-- Sealed tokens of this person that carry a smaller epoch are erased. person is a keyed id of its own, so that nobody
-- joins this list with the token table of a backup without the tenant's keys.
CREATE TABLE erasure (
    tenant BLOB NOT NULL,
    person BLOB NOT NULL,
    epoch  INTEGER NOT NULL,
    PRIMARY KEY (tenant, person)
) STRICT, WITHOUT ROWID;

-- Proofs that changed a number, until they lapse: each works once.
CREATE TABLE used_proof (
    jti   BLOB PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_proof_until ON used_proof (until);

CREATE INDEX verification_party ON verification (party);
CREATE INDEX alias_a ON alias (a_index);
CREATE INDEX alias_b ON alias (b_index) WHERE b_index IS NOT NULL;
CREATE INDEX sender_idx ON sender (idx);

-- Retention. Verifications, messages and entries are found by their time-ordered keys; these are not.
ALTER TABLE alias ADD COLUMN ended_at INTEGER;
UPDATE alias SET ended_at = coalesce(expires_at, created_at) WHERE status <> 0;
CREATE INDEX alias_ended ON alias (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX token_expiry ON token (expires_at) WHERE expires_at IS NOT NULL;
-- entries_forgotten: the first entry whose text and salt may still be there.
INSERT INTO meta VALUES ('entries_forgotten', 0);
