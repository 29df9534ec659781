-- 1 once the schema exists.
SELECT CAST(count(*) AS BIGINT) AS found FROM information_schema.tables WHERE table_schema = 'ja4_processing' AND table_name = 'schema_migrations';
