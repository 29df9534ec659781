-- Scores and labels of a span of hours (start included, end excluded), in key order.
SELECT win_ms, score, anomaly, label FROM ja4_processing.ml_all_scores
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) ORDER BY win_ms, src_ip, ja4, host;
