-- The newest hour of data (since 1970) in which a challenger was fitted, -1 for none. (Counted, for max of nothing is 0 in ClickHouse.)
SELECT CASE WHEN count(*) = 0 THEN -1.0 ELSE max(value) END AS hour FROM ja4_processing.ml_performance_metrics WHERE metric = 'retrain_hour';
