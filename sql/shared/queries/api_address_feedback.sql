-- What analysts decided about one address (given twice), newest first.
SELECT ts_ns, target_kind, session_id, label, verdict, note, analyst
FROM ja4_processing.soc_feedback WHERE src_ip = ? OR src_ip = ?
ORDER BY ts_ns DESC, feedback_id LIMIT 50;
