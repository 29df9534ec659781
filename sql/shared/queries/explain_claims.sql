-- What one session claimed and what its layers show; the window's start is given twice (ms since 1970).
SELECT ua_class, ua_family, ua_major, ua_os, user_agent, sec_ch_ua, h2, h2_browser, http_version, max(r.ua_ja4_mismatch) AS ua_ja4_mismatch,
  max(r.h2_mismatch) AS h2_mismatch, max(r.hints_mismatch) AS hints_mismatch, max(r.alpn_mismatch) AS alpn_mismatch, max(r.sni_mismatch) AS sni_mismatch,
  count(*) AS requests
FROM ja4_logs.http_logs AS r
WHERE ts_ns >= CAST(? AS BIGINT) * 1000000 AND ts_ns < CAST(? AS BIGINT) * 1000000 + 3600000000000 AND src_ip = ? AND ja4 = ? AND host = ?
GROUP BY ua_class, ua_family, ua_major, ua_os, user_agent, sec_ch_ua, h2, h2_browser, http_version ORDER BY requests DESC, user_agent LIMIT 5;
