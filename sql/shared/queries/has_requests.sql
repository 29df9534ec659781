-- One row if anything was imported.
SELECT 1 AS one FROM ja4_logs.http_logs LIMIT 1;
