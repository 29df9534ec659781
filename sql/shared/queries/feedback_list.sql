-- What analysts decided, newest first; current is 1 where no later row has the same target.
SELECT feedback_id, ts_ns, target_kind, session_id, src_ip, host, verdict, label, analyst, note,
  CASE WHEN row_number() OVER (PARTITION BY target_kind, CASE WHEN target_kind = 'session' THEN session_id ELSE src_ip END
    ORDER BY ts_ns DESC, feedback_id DESC) = 1 THEN 1 ELSE 0 END AS current
FROM ja4_processing.soc_feedback
ORDER BY ts_ns DESC, feedback_id DESC;
