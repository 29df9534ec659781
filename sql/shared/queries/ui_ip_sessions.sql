-- Desktop: scored sessions of one address.
SELECT score, severity, host, hits, ua_family, ja4, reason, anomaly, first_ns, last_ns, score_eif, score_autoencoder, score_boosted, threshold, label,
  user_agent, as_name, country, session_id, src_ip, win_ms
FROM ja4_processing.ml_all_scores
WHERE src_ip = ? OR client_ip = ?
ORDER BY score DESC, hits DESC, win_ms, ja4, host
LIMIT /*limit*/ 1000;
