-- The stored scores of every session, in key order; -1 where a voice was not asked.
SELECT win_ms, src_ip, ja4, host, score_eif, score_autoencoder, score_boosted, score, anomaly
FROM ja4_processing.ml_all_scores ORDER BY win_ms, src_ip, ja4, host;
