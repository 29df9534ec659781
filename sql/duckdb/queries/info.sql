-- What a database holds, one line a fact.
SELECT what, value FROM (
SELECT 1 AS place, 'requests' AS what, CAST(count(*) AS VARCHAR) AS value FROM ja4_logs.http_logs
UNION ALL SELECT 2, 'first request', coalesce(strftime(make_timestamp_ns(min(ts_ns)), '%Y-%m-%d %H:%M:%S'), '-') FROM ja4_logs.http_logs
UNION ALL SELECT 3, 'last request', coalesce(strftime(make_timestamp_ns(max(ts_ns)), '%Y-%m-%d %H:%M:%S'), '-') FROM ja4_logs.http_logs
UNION ALL SELECT 4, 'handshakes without a request', CAST(count(*) AS VARCHAR) FROM ja4_logs.tls_only
UNION ALL SELECT 5, 'sessions scored', CAST(count(*) AS VARCHAR) FROM ja4_processing.ml_all_scores
UNION ALL SELECT 6, 'anomalous sessions', CAST(count(*) AS VARCHAR) FROM ja4_processing.ml_detected_anomalies
UNION ALL SELECT 7, 'inputs', CAST(count(*) AS VARCHAR) FROM ja4_processing.inputs
UNION ALL SELECT 8, 'runs', CAST(count(*) AS VARCHAR) FROM ja4_processing.runs
UNION ALL SELECT 9, 'schema version', CAST(max(version) AS VARCHAR) FROM ja4_processing.schema_migrations
UNION ALL SELECT 10, 'DuckDB', version()
) ORDER BY place;
