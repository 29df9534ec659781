-- Scores of the windows that are about to be written anew (both ends included).
DELETE FROM ja4_processing.ml_all_scores WHERE win_ms BETWEEN ? AND ?;
