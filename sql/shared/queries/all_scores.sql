-- Every score, key first, for the digest: what was computed, without which run or model file computed it.
SELECT win_ms, src_ip, ja4, host, model_kind, hits, score_eif, score_autoencoder, score_boosted, score, threshold, anomaly,
  severity, agreement, reason, explanation, population_share, label, label_source
FROM ja4_processing.ml_all_scores;
