-- Desktop: scored sessions.
SELECT score, severity, src_ip, host, hits, ua_family, ja4, country, as_name, reason, anomaly, first_ns, last_ns, agreement, score_eif, score_autoencoder,
  score_boosted, threshold, model_kind, label, user_agent, client_ip, asn, session_id, win_ms
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ 1 = 1)
ORDER BY /*order*/ score DESC
  , win_ms, session_id
LIMIT /*limit*/ 1000;
