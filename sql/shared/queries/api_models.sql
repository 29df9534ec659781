-- Models by what they scored in [from, to), ms since 1970.
-- filter model_id (text): AND model_id = ?
-- filter model_kind (text): AND model_kind = ?
-- sort: last_win_ms, sessions, anomalies
WITH used AS (
  SELECT model_id, model_kind, max(model_name) AS name_hi, count(*) AS n, count(CASE WHEN anomaly = 1 THEN 1 END) AS n_anomalous,
    min(threshold) AS threshold_lo, max(threshold) AS threshold_hi, min(win_ms) AS win_lo, max(win_ms) AS win_hi, max(scored_run) AS run_hi
  FROM ja4_processing.ml_all_scores
  WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
  GROUP BY model_id, model_kind
)
SELECT model_id, model_kind, name_hi AS model_name, CAST(n AS BIGINT) AS sessions, CAST(n_anomalous AS BIGINT) AS anomalies,
  threshold_lo AS threshold_low, threshold_hi AS threshold_high, win_lo AS first_win_ms, win_hi AS last_win_ms, run_hi AS scored_run
FROM used
ORDER BY /*sort*/ last_win_ms DESC, model_id, model_kind
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
