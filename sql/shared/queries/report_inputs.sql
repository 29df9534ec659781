-- What a report says of the inputs: kind, name, records, damaged ones, first and last time, digest of the content.
SELECT kind, name, records, damaged, first_ns, last_ns, content_hash FROM ja4_processing.inputs ORDER BY kind, name, content_hash;
