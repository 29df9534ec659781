-- Probing of sensitive paths (.env, .git, backups, administration), worst first: who asked for them and what was answered.
SELECT 'probing' AS kind, CASE WHEN found_n > 0 THEN 'high' WHEN sensitive_n >= 10 THEN 'medium' ELSE 'low' END AS severity, src_ip, host, win_ms,
  sensitive_n AS evidence_count,
  concat(CAST(sensitive_n AS VARCHAR), ' sensitive requests to ', CAST(paths_n AS VARCHAR), ' paths such as ', path_v, ', ', CAST(found_n AS VARCHAR),
    ' answered with content') AS evidence, ja4_v AS ja4, agent_v AS user_agent, lo_ns AS first_ns, hi_ns AS last_ns
FROM (
  SELECT r.win_ms AS win_ms, r.src_ip AS src_ip, r.host AS host, count(*) AS sensitive_n, count(DISTINCT r.path) AS paths_n,
    count(CASE WHEN r.status BETWEEN 200 AND 299 THEN 1 END) AS found_n, min(r.path) AS path_v, max(r.ja4) AS ja4_v, min(r.user_agent) AS agent_v,
    min(r.ts_ns) AS lo_ns, max(r.ts_ns) AS hi_ns
  FROM ja4_processing.v_requests AS r WHERE r.is_sensitive = 1 GROUP BY r.win_ms, r.src_ip, r.host
) AS clients
ORDER BY CASE WHEN found_n > 0 THEN 0 ELSE 1 END, sensitive_n DESC, win_ms, src_ip, host;
