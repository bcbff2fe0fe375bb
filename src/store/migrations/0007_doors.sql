-- What a credential is bound to beside its key. keyless: it is its certificate, and secret is that of a key nobody has.
-- client_cert: SHA-256 of the certificate. signing_salt: what an HMAC secret is derived from. signing_key: an Ed25519
-- public key. requires: names of proofs that every request has to bring, separated by spaces.
ALTER TABLE credential ADD COLUMN keyless INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN client_cert BLOB;
ALTER TABLE credential ADD COLUMN signing_salt BLOB;
ALTER TABLE credential ADD COLUMN signing_key BLOB;
ALTER TABLE credential ADD COLUMN requires TEXT NOT NULL DEFAULT '';
