-- Desktop: what analysts decided about one address.
SELECT ts_ns, target_kind, label, verdict, note, analyst, session_id, host, ja4
FROM ja4_processing.soc_feedback
WHERE src_ip = ?
ORDER BY ts_ns DESC, feedback_id
LIMIT /*limit*/ 1000;
