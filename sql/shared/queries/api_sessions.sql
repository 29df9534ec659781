-- Every scored session with its verdict and reason.
-- filter session (text): AND session_id = ?
-- filter ip (address): AND (src_ip = ? OR client_ip = ?)
-- filter ja4 (text): AND ja4 = ?
-- filter host (text): AND host = ?
-- filter severity (severity): AND severity = ?
-- filter model_kind (text): AND model_kind = ?
-- filter min_score (share): AND score >= CAST(? AS DOUBLE)
-- filter asn (count): AND asn = CAST(? AS BIGINT)
-- filter country (text): AND country = ?
-- filter anomaly (flag): AND anomaly = CAST(? AS BIGINT)
-- sort: score, hits, win_ms, last_ns
SELECT session_id, win_ms, src_ip, client_ip, ja4, host, hits, score, severity, anomaly, reason, ua_family, user_agent, asn, as_name, country,
  first_ns, last_ns
FROM ja4_processing.ml_all_scores
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ score DESC, win_ms, session_id
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
