-- Anomalies of the windows that are about to be written anew (both ends included).
DELETE FROM ja4_processing.ml_detected_anomalies WHERE win_ms BETWEEN ? AND ?;
