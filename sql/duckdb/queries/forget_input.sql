-- Before an input is recorded anew.
DELETE FROM ja4_processing.inputs WHERE content_hash = ? AND kind = ?;
