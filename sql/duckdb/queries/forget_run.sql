-- Before a run is recorded anew.
DELETE FROM ja4_processing.runs WHERE run_id = ?;
