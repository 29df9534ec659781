-- Desktop: the models whose scores are stored.
SELECT model_name, model_kind, model_id, scored_run, CAST(count(*) AS BIGINT) AS sessions, CAST(sum(anomaly) AS BIGINT) AS anomalous, max(threshold) AS threshold,
  avg(score) AS mean_score, CAST(count(CASE WHEN score_boosted >= 0 THEN 1 END) AS BIGINT) AS with_boosted, min(first_ns) AS first_ns, max(last_ns) AS last_ns
FROM ja4_processing.ml_all_scores
GROUP BY model_name, model_kind, model_id, scored_run ORDER BY last_ns DESC, model_kind, model_id
LIMIT /*limit*/ 1000;
