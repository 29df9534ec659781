-- Every stored session of a span of hours ranked anew from its stored voices; a part of other statements, so without an end mark.
-- Values: weights of the three voices, 1 if they apply, four steps of the complete and four of the application model, 1 if they apply,
-- addresses that are trusted from now on (with commas between), first hour, end of the last hour.
SELECT id, win_ms, session_id, model_kind, old_anomaly, new_score, new_threshold, new_anomaly,
  CASE WHEN new_anomaly = old_anomaly THEN agreement ELSE 1 - agreement END AS new_agreement,
  CASE WHEN trusted THEN 'allowed' WHEN NOT steps_apply THEN severity WHEN new_score >= step_4 THEN 'critical' WHEN new_score >= step_3 THEN 'high'
    WHEN new_score >= step_2 THEN 'medium' WHEN new_score >= new_threshold THEN 'low' ELSE 'none' END AS new_severity
FROM (
  SELECT id, win_ms, session_id, model_kind, old_anomaly, new_score, agreement, severity, trusted, steps_apply, step_2, step_3, step_4,
    CASE WHEN steps_apply THEN step_1 ELSE old_threshold END AS new_threshold,
    CASE WHEN NOT trusted AND new_score >= CASE WHEN steps_apply THEN step_1 ELSE old_threshold END THEN 1 ELSE 0 END AS new_anomaly
  FROM (
    SELECT s.rowid AS id, s.win_ms AS win_ms, s.session_id AS session_id, s.model_kind AS model_kind, s.anomaly AS old_anomaly, s.threshold AS old_threshold,
      s.agreement AS agreement, s.severity AS severity, p.steps_apply = 1 AS steps_apply,
      s.severity = 'allowed'
        OR p.trusted <> '' AND (list_contains(string_split(p.trusted, ','), s.src_ip) OR list_contains(string_split(p.trusted, ','), s.client_ip)) AS trusted,
      CASE WHEN s.model_kind = 'complete' THEN p.c_1 ELSE p.a_1 END AS step_1, CASE WHEN s.model_kind = 'complete' THEN p.c_2 ELSE p.a_2 END AS step_2,
      CASE WHEN s.model_kind = 'complete' THEN p.c_3 ELSE p.a_3 END AS step_3, CASE WHEN s.model_kind = 'complete' THEN p.c_4 ELSE p.a_4 END AS step_4,
      CASE WHEN p.weights_apply = 1 THEN
        CASE WHEN s.score_eif < 0 THEN 0 ELSE p.w_eif / (p.w_eif + CASE WHEN s.score_autoencoder < 0 THEN 0 ELSE p.w_auto END
          + CASE WHEN s.score_boosted < 0 THEN 0 ELSE p.w_boost END) * s.score_eif END
        + CASE WHEN s.score_autoencoder < 0 THEN 0 ELSE p.w_auto / (p.w_eif + p.w_auto + CASE WHEN s.score_boosted < 0 THEN 0 ELSE p.w_boost END)
          * s.score_autoencoder END
        + CASE WHEN s.score_boosted < 0 THEN 0 ELSE p.w_boost / (p.w_eif + CASE WHEN s.score_autoencoder < 0 THEN 0 ELSE p.w_auto END + p.w_boost)
          * s.score_boosted END
      ELSE s.score END AS new_score
    FROM ja4_processing.ml_all_scores AS s,
      (SELECT CAST(? AS DOUBLE) AS w_eif, CAST(? AS DOUBLE) AS w_auto, CAST(? AS DOUBLE) AS w_boost, CAST(? AS BIGINT) AS weights_apply,
        CAST(? AS DOUBLE) AS c_1, CAST(? AS DOUBLE) AS c_2, CAST(? AS DOUBLE) AS c_3, CAST(? AS DOUBLE) AS c_4,
        CAST(? AS DOUBLE) AS a_1, CAST(? AS DOUBLE) AS a_2, CAST(? AS DOUBLE) AS a_3, CAST(? AS DOUBLE) AS a_4, CAST(? AS BIGINT) AS steps_apply,
        CAST(? AS VARCHAR) AS trusted, CAST(? AS BIGINT) AS from_ms, CAST(? AS BIGINT) AS to_ms) AS p
    WHERE s.win_ms >= p.from_ms AND s.win_ms < p.to_ms
  ) AS weighed
) AS judged
