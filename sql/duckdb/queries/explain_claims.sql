-- What one session claimed and what its layers show.
SELECT ua_class, ua_family, ua_major, ua_os, user_agent, sec_ch_ua, h2, h2_browser, http_version, max(ua_ja4_mismatch) AS ua_ja4_mismatch,
  max(h2_mismatch) AS h2_mismatch, max(hints_mismatch) AS hints_mismatch, max(alpn_mismatch) AS alpn_mismatch, max(sni_mismatch) AS sni_mismatch,
  count(*) AS requests
FROM ja4_logs.http_logs
WHERE ts_ns // 3600000000000 * 3600000 = CAST(? AS BIGINT) AND src_ip = ? AND ja4 = ? AND host = ?
GROUP BY ua_class, ua_family, ua_major, ua_os, user_agent, sec_ch_ua, h2, h2_browser, http_version ORDER BY requests DESC, user_agent LIMIT 5;
