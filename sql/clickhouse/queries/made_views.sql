-- Hash of the texts of functions and views as they were made last: kept as version 0 beside the migrations.
SELECT sha256 FROM ja4_processing.schema_migrations WHERE version = 0 ORDER BY applied_ns DESC LIMIT 1;
