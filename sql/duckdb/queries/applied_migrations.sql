-- Applied migrations in order.
SELECT version, sha256 FROM ja4_processing.schema_migrations ORDER BY version;
