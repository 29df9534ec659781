-- Anomalies of the hours that were ranked anew (end excluded).
DELETE FROM ja4_processing.ml_detected_anomalies WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT);
