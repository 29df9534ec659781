-- Everything that was ever imported.
SELECT content_hash, kind, name, bytes, records, damaged, state, first_ns, last_ns, skew_ns, run_id, detail
FROM ja4_processing.inputs ORDER BY kind, name, content_hash;
