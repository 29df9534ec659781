-- Desktop: every voice of every session, for scatter, re-ranking and curves.
SELECT session_id, src_ip, host, ja4, ua_family, hits, score, score_eif, score_autoencoder, score_boosted, threshold, anomaly, severity, label, model_kind,
  reason, first_ns, last_ns
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ 1 = 1)
ORDER BY score DESC, hits DESC, src_ip, ja4, host, win_ms
LIMIT /*limit*/ 1000;
