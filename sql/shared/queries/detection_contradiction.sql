-- Claims that the connection contradicts, worst first: who says one thing and shows another, and how often.
SELECT 'contradiction' AS kind, CASE WHEN kinds_n >= 3 THEN 'high' WHEN kinds_n = 2 THEN 'medium' ELSE 'low' END AS severity, src_ip, host, win_ms,
  all_n AS evidence_count,
  concat('claims ', CASE WHEN family_v = '' THEN 'nothing' ELSE family_v END, '; of ', CAST(hits_n AS VARCHAR), ' requests contradicted: ',
    substring(concat(
      CASE WHEN tls_n > 0 THEN concat(', ', CAST(tls_n AS VARCHAR), ' by TLS') ELSE '' END,
      CASE WHEN h2_n > 0 THEN concat(', ', CAST(h2_n AS VARCHAR), ' by HTTP/2') ELSE '' END,
      CASE WHEN hints_n > 0 THEN concat(', ', CAST(hints_n AS VARCHAR), ' by client hints') ELSE '' END,
      CASE WHEN alpn_n > 0 THEN concat(', ', CAST(alpn_n AS VARCHAR), ' by ALPN') ELSE '' END,
      CASE WHEN sni_n > 0 THEN concat(', ', CAST(sni_n AS VARCHAR), ' by server name') ELSE '' END), 3)) AS evidence, ja4, agent_v AS user_agent, lo_ns AS first_ns, hi_ns AS last_ns
FROM (
  SELECT win_ms, src_ip, ja4, host, hits_n, tls_n, h2_n, hints_n, alpn_n, sni_n, family_v, agent_v, lo_ns, hi_ns, tls_n + h2_n + hints_n + alpn_n + sni_n AS all_n,
    CASE WHEN tls_n > 0 THEN 1 ELSE 0 END + CASE WHEN h2_n > 0 THEN 1 ELSE 0 END + CASE WHEN hints_n > 0 THEN 1 ELSE 0 END
      + CASE WHEN alpn_n > 0 THEN 1 ELSE 0 END + CASE WHEN sni_n > 0 THEN 1 ELSE 0 END AS kinds_n
  FROM (
    SELECT r.win_ms AS win_ms, r.src_ip AS src_ip, r.ja4 AS ja4, r.host AS host, count(*) AS hits_n, count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS tls_n,
      count(CASE WHEN r.h2_mismatch = 1 THEN 1 END) AS h2_n, count(CASE WHEN r.hints_mismatch = 1 THEN 1 END) AS hints_n,
      count(CASE WHEN r.alpn_mismatch = 1 THEN 1 END) AS alpn_n, count(CASE WHEN r.sni_mismatch = 1 THEN 1 END) AS sni_n,
      max(r.ua_family) AS family_v, min(r.user_agent) AS agent_v, min(r.ts_ns) AS lo_ns, max(r.ts_ns) AS hi_ns
    FROM ja4_processing.v_requests AS r GROUP BY r.win_ms, r.src_ip, r.ja4, r.host
  ) AS counted
) AS weighed
WHERE all_n > 0
ORDER BY kinds_n DESC, all_n DESC, win_ms, src_ip, ja4, host;
