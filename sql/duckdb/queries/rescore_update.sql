-- Puts a re-ranking in force; the program puts it in the marked place.
UPDATE ja4_processing.ml_all_scores SET score = r.new_score, threshold = r.new_threshold, anomaly = r.new_anomaly, severity = r.new_severity,
  agreement = r.new_agreement
FROM (/*rescored*/) AS r WHERE ml_all_scores.rowid = r.id;
