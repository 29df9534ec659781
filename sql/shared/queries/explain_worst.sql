-- The most anomalous session of an address.
SELECT session_id FROM ja4_processing.ml_all_scores WHERE src_ip = ? OR client_ip = ?
ORDER BY score DESC, hits DESC, win_ms, ja4, host LIMIT 1;
