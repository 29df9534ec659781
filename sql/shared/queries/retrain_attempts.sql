-- The newest hour of data (since 1970) in which a challenger was fitted, -1 for none.
SELECT coalesce(max(value), -1.0) AS hour FROM ja4_processing.ml_performance_metrics WHERE metric = 'retrain_hour';
