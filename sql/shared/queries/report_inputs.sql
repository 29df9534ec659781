-- What a report says of the inputs: kind, name, records, damaged ones, digest of the content.
SELECT kind, name, records, damaged, content_hash FROM ja4_processing.inputs ORDER BY kind, name, content_hash;
