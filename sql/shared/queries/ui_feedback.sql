-- Desktop: what analysts decided, newest first.
SELECT ts_ns, target_kind, label, verdict, src_ip, host, ja4, note, analyst, session_id, user_agent, feedback_id
FROM ja4_processing.soc_feedback
ORDER BY ts_ns DESC, feedback_id
LIMIT /*limit*/ 1000;
