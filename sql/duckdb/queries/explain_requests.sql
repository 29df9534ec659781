-- The first requests of one session.
SELECT strftime(make_timestamp_ns(ts_ns), '%H:%M:%S.%g') AS at, method, path, query, status, http_version, duration_us, src_port
FROM ja4_logs.http_logs
WHERE ts_ns >= CAST(? AS BIGINT) * 1000000 AND ts_ns < CAST(? AS BIGINT) * 1000000 + 3600000000000 AND src_ip = ? AND ja4 = ? AND host = ?
ORDER BY ts_ns, row_hi, row_lo LIMIT 12;
