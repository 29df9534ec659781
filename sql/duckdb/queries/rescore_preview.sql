-- What a re-ranking does, by kind of model; the program puts the re-ranking in the marked place.
SELECT model_kind, count(*) AS sessions, CAST(sum(new_anomaly) AS BIGINT) AS anomalies,
  CAST(sum(CASE WHEN new_anomaly = 1 AND old_anomaly = 0 THEN 1 ELSE 0 END) AS BIGINT) AS became_anomalous,
  CAST(sum(CASE WHEN new_anomaly = 0 AND old_anomaly = 1 THEN 1 ELSE 0 END) AS BIGINT) AS became_ordinary, max(new_threshold) AS threshold
FROM (/*rescored*/) AS r GROUP BY model_kind ORDER BY model_kind;
