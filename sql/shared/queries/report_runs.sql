-- What was done to this database, with the digests of what came out.
SELECT run_id, command, version, rows_digest, features_digest, scores_digest FROM ja4_processing.runs ORDER BY started_ns, run_id;
