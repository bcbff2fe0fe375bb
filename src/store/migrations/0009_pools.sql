-- low_water: free numbers below which the owner is told; told_low: was told, and need not be again until there are enough.
ALTER TABLE pool ADD COLUMN low_water INTEGER;
ALTER TABLE pool ADD COLUMN told_low INTEGER NOT NULL DEFAULT 0;
CREATE INDEX pool_tenant ON pool (tenant, id);

