-- What happened once and counts for a while, by HMAC: messages that carriers named by an id of their own, people who
-- were told something today.
CREATE TABLE mark (
    mark  BLOB PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mark_until ON mark (until);
