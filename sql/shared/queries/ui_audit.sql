-- Desktop: who did what, newest first.
SELECT ts_ns, actor, action, target, outcome, detail
FROM ja4_processing.audit_logs ORDER BY ts_ns DESC, actor, action, target
LIMIT /*limit*/ 1000;
