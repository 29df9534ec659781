-- Scanning across hosts, worst first: addresses that asked several hosts in one hour and found little.
SELECT 'scanning' AS kind, CASE WHEN hosts_n >= 10 THEN 'high' WHEN hosts_n >= 5 THEN 'medium' ELSE 'low' END AS severity, src_ip, host_v AS host, win_ms,
  hosts_n AS evidence_count,
  concat(CAST(hosts_n AS VARCHAR), ' hosts, ', CAST(paths_n AS VARCHAR), ' paths, ', CAST(missing_n AS VARCHAR), ' of ', CAST(hits_n AS VARCHAR),
    ' requests found nothing') AS evidence, ja4_v AS ja4, agent_v AS user_agent, lo_ns AS first_ns, hi_ns AS last_ns
FROM (
  SELECT r.win_ms AS win_ms, r.src_ip AS src_ip, count(DISTINCT r.host) AS hosts_n, count(DISTINCT r.path) AS paths_n, count(*) AS hits_n,
    count(CASE WHEN r.status IN (400, 403, 404, 405, 410) THEN 1 END) AS missing_n, min(r.host) AS host_v, max(r.ja4) AS ja4_v, min(r.user_agent) AS agent_v,
    min(r.ts_ns) AS lo_ns, max(r.ts_ns) AS hi_ns
  FROM ja4_processing.v_requests AS r GROUP BY r.win_ms, r.src_ip
) AS clients
WHERE hosts_n >= 2 AND hits_n >= 5 AND missing_n * 2 >= hits_n
ORDER BY hosts_n DESC, missing_n DESC, win_ms, src_ip;
