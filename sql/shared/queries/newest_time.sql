-- Time of the latest request, ns since 1970, and how many there are.
SELECT coalesce(max(ts_ns), 0) AS newest_ns, count(*) AS records FROM ja4_logs.http_logs;
