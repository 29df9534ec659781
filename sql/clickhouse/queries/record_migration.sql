-- One applied migration: version, name, SHA-256 of its text, when.
INSERT INTO ja4_processing.schema_migrations (version, name, sha256, applied_ns)
SELECT CAST(? AS Int64), ?, ?, CAST(? AS Int64);
