-- Applied migrations in order.
SELECT version, sha256 FROM ja4_processing.schema_migrations WHERE version > 0 ORDER BY version;
