-- Desktop: requests of one address.
SELECT ts_ns, host, method, path, status, response_bytes, duration_us, ja4, ua_family, match_kind, match_confidence, http_version, user_agent, src_port,
  dst_ip, dst_port, hello_ts_ns, src_ip
FROM ja4_logs.http_logs
WHERE src_ip = ? OR client_ip = ?
ORDER BY ts_ns, row_hi, row_lo
LIMIT /*limit*/ 1000;
