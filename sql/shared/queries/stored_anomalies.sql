-- Sessions of a span of hours (start included, end excluded) that are anomalous by the verdicts in force.
SELECT session_id FROM ja4_processing.ml_all_scores WHERE anomaly = 1 AND win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) ORDER BY session_id;
