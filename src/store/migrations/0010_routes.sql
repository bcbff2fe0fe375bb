-- Routes: every version that a tenant set, the highest of which is in force. rules is canonical JSON without a number.
CREATE TABLE route_set (
    tenant   BLOB NOT NULL,
    version  INTEGER NOT NULL,
    rules    TEXT NOT NULL,
    author   TEXT NOT NULL,
    approver TEXT,
    at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, version)
) STRICT, WITHOUT ROWID;

-- Ways of a tenant that are closed for complaints; class is its name.
CREATE TABLE route_closed (
    tenant     BLOB NOT NULL,
    carrier    TEXT NOT NULL,
    country    TEXT NOT NULL,
    class      TEXT NOT NULL,
    complaints INTEGER NOT NULL,
    sent       INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    PRIMARY KEY (tenant, carrier, country, class)
) STRICT, WITHOUT ROWID;

-- Grows with every write to either.
INSERT INTO meta VALUES ('routes', 1);
