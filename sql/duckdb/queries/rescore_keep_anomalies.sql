-- The anomalous among the sessions ranked anew (end excluded).
INSERT INTO ja4_processing.ml_detected_anomalies
SELECT * FROM ja4_processing.ml_all_scores WHERE anomaly = 1 AND win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT);
