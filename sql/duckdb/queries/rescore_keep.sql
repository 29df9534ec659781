-- Keeps a re-ranking beside the verdicts in force, under a name; the program puts it in the marked place.
INSERT INTO ja4_processing.kept_scores SELECT CAST(? AS VARCHAR), win_ms, session_id, new_score, new_threshold, new_anomaly FROM (/*rescored*/) AS r;
