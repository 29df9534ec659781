-- Desktop: every command that changed the store, newest first.
SELECT started_ns, finished_ns, command, state, version, rows_digest, features_digest, scores_digest, run_id, config, counters
FROM ja4_processing.runs ORDER BY started_ns DESC, run_id
LIMIT /*limit*/ 1000;
