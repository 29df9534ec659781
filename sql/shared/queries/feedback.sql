-- What analysts decided, oldest first, so that the last row of a target counts.
SELECT ts_ns, feedback_id, target_kind, session_id, src_ip, ja4, host, user_agent, label
FROM ja4_processing.soc_feedback ORDER BY ts_ns, feedback_id;
