-- The latest requests of one address (given twice).
SELECT ts_ns, host, method, path, query, status, http_version, response_bytes, ja4, match_kind, src_port
FROM ja4_logs.http_logs WHERE src_ip = ? OR client_ip = ?
ORDER BY ts_ns DESC, row_hi, row_lo LIMIT 100;
