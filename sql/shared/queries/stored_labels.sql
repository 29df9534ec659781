-- Labels that the last scoring knew of (analysts, rules, lists, claims) for sessions from an hour on (ms since 1970); of very many the newest.
SELECT session_id, label FROM ja4_processing.ml_all_scores
WHERE label >= 0 AND win_ms >= CAST(? AS BIGINT)
ORDER BY win_ms DESC, src_ip, ja4, host LIMIT 50000;
