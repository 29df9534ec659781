-- Where one scored session is found among the features: its key, and which model gave its score, and from where on it is anomalous.
SELECT win_ms, src_ip, ja4, host, model_kind, model_id, threshold FROM ja4_processing.ml_all_scores WHERE session_id = ?
