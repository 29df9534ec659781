-- A day that has no scores any more.
ALTER TABLE /*table*/ DROP PARTITION ID ?;
