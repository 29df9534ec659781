-- The first requests of one session.
SELECT formatDateTime(fromUnixTimestamp64Nano(ts_ns, 'UTC'), '%H:%i:%S') || '.' || leftPad(toString(intDiv(ts_ns % 1000000000, 1000000)), 3, '0') AS at,
  method, path, query, status, http_version, duration_us, src_port
FROM ja4_logs.http_logs
WHERE ts_ns >= CAST(? AS BIGINT) * 1000000 AND ts_ns < CAST(? AS BIGINT) * 1000000 + 3600000000000 AND src_ip = ? AND ja4 = ? AND host = ?
ORDER BY ts_ns, row_hi, row_lo LIMIT 12;
