-- Anomalous sessions, with what made their score.
-- filter session (text): AND session_id = ?
-- filter ip (address): AND (src_ip = ? OR client_ip = ?)
-- filter ja4 (text): AND ja4 = ?
-- filter host (text): AND host = ?
-- filter severity (severity): AND severity = ?
-- filter model_kind (text): AND model_kind = ?
-- filter min_score (share): AND score >= CAST(? AS DOUBLE)
-- filter asn (count): AND asn = CAST(? AS BIGINT)
-- filter country (text): AND country = ?
-- sort: score, hits, win_ms, last_ns, agreement
SELECT session_id, win_ms, src_ip, client_ip, ja4, host, hits, score, threshold, severity, agreement, reason, explanation, model_kind, model_id,
  ua_family, user_agent, asn, as_name, country, first_ns, last_ns, scored_run
FROM ja4_processing.ml_detected_anomalies
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ score DESC, win_ms, session_id
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
