-- Which of several messages a receipt means where a carrier spells its ids in two ways or uses one twice: `device` is a
-- keyed digest of carrier, id and the device's number, another one for each id, 0 where the device is not known. `why`
-- is the class of a failure. The rowid stays the order of coming.
CREATE TABLE submission_of (
    carrier TEXT NOT NULL,
    part    TEXT NOT NULL,
    tenant  BLOB NOT NULL,
    task    BLOB NOT NULL,
    status  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    device  INTEGER NOT NULL DEFAULT 0,
    why     INTEGER
) STRICT;
INSERT INTO submission_of (carrier, part, tenant, task, status, at)
    SELECT carrier, part, tenant, task, status, at FROM submission ORDER BY rowid;
DROP TABLE submission;
ALTER TABLE submission_of RENAME TO submission;
CREATE INDEX submission_part ON submission (carrier, part);
CREATE INDEX submission_task ON submission (task);

-- `sure` says that the carrier wrote exactly this id; the others are what it may have meant.
CREATE TABLE early_receipt_of (
    carrier TEXT NOT NULL,
    part    TEXT NOT NULL,
    status  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    device  INTEGER NOT NULL DEFAULT 0,
    why     INTEGER,
    sure    INTEGER NOT NULL DEFAULT 1,
    UNIQUE (carrier, part, device)
) STRICT;
INSERT INTO early_receipt_of (carrier, part, status, at)
    SELECT carrier, part, status, at FROM early_receipt ORDER BY rowid;
DROP TABLE early_receipt;
ALTER TABLE early_receipt_of RENAME TO early_receipt;
