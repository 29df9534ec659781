-- How many tables a file holds, whoever made them.
SELECT CAST(count(*) AS BIGINT) AS found FROM duckdb_tables() WHERE NOT internal
