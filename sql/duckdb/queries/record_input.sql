-- One imported file.
INSERT INTO ja4_processing.inputs (content_hash, kind, name, bytes, records, damaged, state, first_ns, last_ns, skew_ns, run_id, detail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
