-- Desktop: quality and drift figures of models.
SELECT ts_ns, model_kind, voice, metric, value, sessions, labelled, model_id, scored_run, detail
FROM ja4_processing.ml_performance_metrics
ORDER BY ts_ns DESC, model_kind, voice, metric
LIMIT /*limit*/ 1000;
