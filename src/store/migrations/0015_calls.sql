-- Calls that were put through, until a day after they must be over. reference: HMAC of the carrier's id of the call.
-- screened: whether the party has to press a key first. ended_at: none while it lasts.
CREATE TABLE call (
    id          BLOB PRIMARY KEY,
    reference   BLOB NOT NULL UNIQUE,
    tenant      BLOB NOT NULL,
    alias       BLOB NOT NULL,
    screened    INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    answered_at INTEGER,
    ended_at    INTEGER,
    until       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX call_tenant ON call (tenant);
CREATE INDEX call_until ON call (until);
