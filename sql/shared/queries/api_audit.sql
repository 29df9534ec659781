-- Who did what in [from, to), ns since 1970.
-- filter actor (text): AND actor = ?
-- filter action (text): AND action = ?
-- filter outcome (text): AND outcome = ?
-- sort: ts_ns
SELECT ts_ns, actor, action, target, outcome, detail
FROM ja4_processing.audit_logs
WHERE ts_ns >= CAST(? AS BIGINT) AND ts_ns < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ ts_ns DESC, actor, action, target, outcome, detail
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
