-- Desktop: what clients with one JA4 say they are.
SELECT user_agent, ua_family, CAST(count(*) AS BIGINT) AS hits, CAST(count(DISTINCT src_ip) AS BIGINT) AS ips, CAST(count(DISTINCT header_order) AS BIGINT) AS header_orders,
  CAST(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS BIGINT) AS mismatches
FROM ja4_logs.http_logs
WHERE ja4 = ?
GROUP BY user_agent, ua_family ORDER BY hits DESC, user_agent
LIMIT /*limit*/ 1000;
