-- The anomalous among the scores just written (both ends included).
INSERT INTO ja4_processing.ml_detected_anomalies SELECT * FROM ja4_processing.ml_all_scores WHERE anomaly = 1 AND win_ms BETWEEN ? AND ?;
