-- Quality and drift figures of the models, recorded in [from, to), ns since 1970.
-- filter metric (text): AND metric = ?
-- filter model_id (text): AND model_id = ?
-- filter model_kind (text): AND model_kind = ?
-- filter voice (text): AND voice = ?
-- sort: ts_ns, value
SELECT ts_ns, scored_run, model_name, model_id, model_kind, voice, metric, value, sessions, labelled, detail
FROM ja4_processing.ml_performance_metrics
WHERE ts_ns >= CAST(? AS BIGINT) AND ts_ns < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ ts_ns DESC, scored_run, model_id, model_kind, voice, metric, detail
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
