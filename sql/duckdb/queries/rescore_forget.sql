-- Removes what was kept under a name.
DELETE FROM ja4_processing.kept_scores WHERE name = ?;
