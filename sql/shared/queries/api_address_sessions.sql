-- The worst sessions of one address (given twice).
SELECT session_id, win_ms, ja4, host, hits, score, severity, anomaly, reason, ua_family, user_agent, first_ns, last_ns
FROM ja4_processing.ml_all_scores
WHERE src_ip = ? OR client_ip = ?
ORDER BY score DESC, win_ms, session_id LIMIT 50;
