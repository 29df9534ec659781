-- Desktop: everything that was ever imported.
SELECT kind, name, state, records, damaged, bytes, skew_ns, first_ns, last_ns, detail, content_hash, run_id
FROM ja4_processing.inputs ORDER BY kind, name, content_hash
LIMIT /*limit*/ 1000;
