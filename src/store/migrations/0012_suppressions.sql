-- Who does not want to be written to. idx: the person under the tenant's index key, kept when the person is erased, so
-- that being forgotten does not begin the messages again. scope: marketing, notice, all, or the digits of one number.
CREATE TABLE suppression (
    id     BLOB PRIMARY KEY,
    tenant BLOB NOT NULL,
    idx    BLOB NOT NULL,
    scope  TEXT NOT NULL,
    source TEXT NOT NULL,
    at     INTEGER NOT NULL,
    UNIQUE (tenant, idx, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX suppression_tenant ON suppression (tenant, id);

-- Whether the tenant has any: deliveries of the others need not look.
ALTER TABLE tenant ADD COLUMN suppressions INTEGER NOT NULL DEFAULT 0;
