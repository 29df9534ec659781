-- What each voice said of each session: the figures alone; -1 is a voice that was not asked.
-- filter session (text): AND session_id = ?
-- filter ip (address): AND (src_ip = ? OR client_ip = ?)
-- filter ja4 (text): AND ja4 = ?
-- filter host (text): AND host = ?
-- filter severity (severity): AND severity = ?
-- filter model_kind (text): AND model_kind = ?
-- filter min_score (share): AND score >= CAST(? AS DOUBLE)
-- filter asn (count): AND asn = CAST(? AS BIGINT)
-- filter country (text): AND country = ?
-- filter model_id (text): AND model_id = ?
-- filter anomaly (flag): AND anomaly = CAST(? AS BIGINT)
-- sort: score, score_eif, score_autoencoder, score_boosted, hits, win_ms, agreement
SELECT session_id, win_ms, src_ip, host, model_name, model_id, model_kind, hits, score_eif, score_autoencoder, score_boosted, score, threshold,
  anomaly, severity, agreement, population_share, label, label_source, scored_run
FROM ja4_processing.ml_all_scores
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ score DESC, win_ms, session_id
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
