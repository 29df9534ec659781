-- Key and User-Agent of a scored session by its id; nothing if there is none.
SELECT src_ip, ja4, host, user_agent FROM ja4_processing.ml_all_scores WHERE session_id = ? ORDER BY win_ms LIMIT 1;
