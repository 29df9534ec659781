-- Desktop: requests as they were joined.
SELECT ts_ns, src_ip, host, method, path, query, status, response_bytes, duration_us, ja4, ua_family, match_kind, match_confidence, http_version,
  user_agent, referer, country, as_name, asn, client_ip, src_port, dst_ip, dst_port, conn_id, hello_ts_ns, ja4_browser, ja4_bot, ua_ja4_mismatch, row_hi, row_lo
FROM ja4_logs.http_logs
WHERE (/*condition*/ 1 = 1)
ORDER BY /*order*/ ts_ns
  , ts_ns, row_hi, row_lo
LIMIT /*limit*/ 1000;
