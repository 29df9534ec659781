-- Desktop: what one address showed and claimed, layer by layer: 1 contradicts, 0 agrees, -1 unknown.
SELECT ja4, ua_family, ua_os, ja4_browser, ja4_bot, h2_browser, CAST(count(*) AS BIGINT) AS hits, max(ua_ja4_mismatch) AS ua_ja4_mismatch, max(h2_mismatch) AS h2_mismatch,
  max(alpn_mismatch) AS alpn_mismatch, max(sni_mismatch) AS sni_mismatch, max(hints_mismatch) AS hints_mismatch, max(ip_ttl) AS ip_ttl, user_agent
FROM ja4_logs.http_logs
WHERE src_ip = ? OR client_ip = ?
GROUP BY ja4, ua_family, ua_os, ja4_browser, ja4_bot, h2_browser, user_agent ORDER BY hits DESC, ja4, user_agent
LIMIT /*limit*/ 1000;
