-- Scores that the sessions of the baseline would have; the program puts the re-ranking in the marked place.
SELECT model_kind, new_score FROM (/*rescored*/) AS r INNER JOIN (SELECT DISTINCT session_id AS kept_id FROM ja4_processing.score_baseline) AS b
  ON b.kept_id = r.session_id ORDER BY model_kind, new_score;
