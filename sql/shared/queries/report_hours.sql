-- Scored sessions by hour: all, and those at or above their threshold.
SELECT win_ms, count(*) AS sessions, sum(anomaly) AS anomalous FROM ja4_processing.ml_all_scores GROUP BY win_ms ORDER BY win_ms;
