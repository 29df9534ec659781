-- Whether the store answers, and how far its data reaches: the newest request, ns since 1970, -1 without any.
SELECT CAST(coalesce(max(ts_ns), -1) AS BIGINT) AS newest_ns FROM ja4_logs.http_logs;
