-- What analysts decided in [from, to), ns since 1970: label 1 bot, 0 legitimate, -1 withdrawn or unsure.
-- filter ip (address): AND src_ip = ?
-- filter session (text): AND session_id = ?
-- filter verdict (text): AND verdict = ?
-- sort: ts_ns
SELECT ts_ns, feedback_id, target_kind, session_id, src_ip, ja4, host, user_agent, label, verdict, note, analyst
FROM ja4_processing.soc_feedback
WHERE ts_ns >= CAST(? AS BIGINT) AND ts_ns < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ ts_ns DESC, feedback_id
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
