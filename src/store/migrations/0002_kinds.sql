-- Which record a lookalike token names. Its digits are not here: mark is an HMAC of them under a key of the tenant's own,
-- tag the keyed name of an audience. A row stays when its record goes, so that the same digits never come to mean
-- somebody else; record ids are not given twice, so that it then names nothing.
CREATE TABLE lookalike (
    mark   BLOB PRIMARY KEY,
    tenant BLOB NOT NULL,
    record INTEGER NOT NULL,
    tag    BLOB NOT NULL
) STRICT, WITHOUT ROWID;
