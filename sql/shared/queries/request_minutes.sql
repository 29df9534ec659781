-- Minutes that hold requests, and how many: what a copy is cut by.
SELECT ts_ns - ts_ns % 60000000000 AS minute_ns, count(*) AS records FROM ja4_logs.http_logs
GROUP BY ts_ns - ts_ns % 60000000000 ORDER BY ts_ns - ts_ns % 60000000000;
