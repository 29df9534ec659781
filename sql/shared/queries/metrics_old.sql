-- Writings whose newest figure is older than an instant (ns since 1970): what is forgotten.
SELECT scored_run FROM ja4_processing.ml_performance_metrics GROUP BY scored_run HAVING max(ts_ns) < CAST(? AS BIGINT) ORDER BY scored_run;
