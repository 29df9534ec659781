-- One command that changed the store.
INSERT INTO ja4_processing.runs (run_id, command, version, config, rows_digest, features_digest, scores_digest, counters, started_ns, finished_ns, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
