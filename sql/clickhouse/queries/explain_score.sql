-- One session's verdict.
SELECT win_ms, src_ip, ja4, host, session_id, model_kind, model_id, hits, score_eif, score_autoencoder, score_boosted, score, threshold,
  anomaly, severity, agreement, reason, explanation, population_share, label, label_source, user_agent, ua_family, client_ip, asn, as_name, country,
  formatDateTime(fromUnixTimestamp64Nano(first_ns, 'UTC'), '%Y-%m-%d %H:%i:%S') AS first_seen,
  formatDateTime(fromUnixTimestamp64Nano(last_ns, 'UTC'), '%Y-%m-%d %H:%i:%S') AS last_seen
FROM ja4_processing.ml_all_scores WHERE session_id = ?;
