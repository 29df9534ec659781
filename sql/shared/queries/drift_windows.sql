-- First and last hour that is scored, ms since 1970, -1 if none is.
SELECT coalesce(min(win_ms), -1) AS first_ms, coalesce(max(win_ms), -1) AS last_ms FROM ja4_processing.ml_all_scores;
