-- Rotation of identities, worst first: addresses that showed many JA4 or many User-Agents on one host in one hour.
SELECT 'rotation' AS kind,
  CASE WHEN ja4s >= 10 OR user_agents >= 20 THEN 'high' WHEN ja4s >= 5 OR user_agents >= 10 THEN 'medium' ELSE 'low' END AS severity,
  src_ip, host, win_ms, identities AS evidence_count,
  concat(CAST(ja4s AS VARCHAR), ' JA4 and ', CAST(user_agents AS VARCHAR), ' User-Agents in ', CAST(hits AS VARCHAR), ' requests, ',
    CAST(browser_families AS VARCHAR), CASE WHEN browser_families = 1 THEN ' browser family' ELSE ' browser families' END, ' by handshake') AS evidence, ja4_example AS ja4, '' AS user_agent, first_ns, last_ns
FROM ja4_processing.view_host_ip_ja4_rotation
ORDER BY identities DESC, hits DESC, win_ms, src_ip, host;
