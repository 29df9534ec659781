-- Before an input is recorded anew.
DELETE FROM /*staging*/ WHERE content_hash = ? AND kind = ?;
