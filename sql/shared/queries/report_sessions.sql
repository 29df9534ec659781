-- The most anomalous sessions with their reasons.
SELECT session_id, score, severity, src_ip, host, hits, ua_family, ja4, reason
FROM ja4_processing.ml_all_scores ORDER BY score DESC, hits DESC, src_ip, ja4, host, win_ms LIMIT 50;
