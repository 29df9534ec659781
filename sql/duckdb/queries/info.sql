-- What a database holds, one line a fact.
SELECT 'requests' AS what, CAST(count(*) AS VARCHAR) AS value FROM ja4_logs.http_logs
UNION ALL SELECT 'first request', coalesce(strftime(make_timestamp_ns(min(ts_ns)), '%Y-%m-%d %H:%M:%S'), '-') FROM ja4_logs.http_logs
UNION ALL SELECT 'last request', coalesce(strftime(make_timestamp_ns(max(ts_ns)), '%Y-%m-%d %H:%M:%S'), '-') FROM ja4_logs.http_logs
UNION ALL SELECT 'handshakes without a request', CAST(count(*) AS VARCHAR) FROM ja4_logs.tls_only
UNION ALL SELECT 'sessions scored', CAST(count(*) AS VARCHAR) FROM ja4_processing.ml_all_scores
UNION ALL SELECT 'anomalous sessions', CAST(count(*) AS VARCHAR) FROM ja4_processing.ml_detected_anomalies
UNION ALL SELECT 'inputs', CAST(count(*) AS VARCHAR) FROM ja4_processing.inputs
UNION ALL SELECT 'runs', CAST(count(*) AS VARCHAR) FROM ja4_processing.runs
UNION ALL SELECT 'schema version', CAST(max(version) AS VARCHAR) FROM ja4_processing.schema_migrations
UNION ALL SELECT 'DuckDB', version();
