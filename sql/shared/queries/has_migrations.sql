-- 1 once the schema exists.
SELECT count(*) FROM information_schema.tables WHERE table_schema = 'ja4_processing' AND table_name = 'schema_migrations';
