-- What a database holds, one line a fact.
SELECT what, value FROM (
SELECT 1 AS place, 'requests' AS what, toString(count(*)) AS value FROM ja4_logs.http_logs
UNION ALL SELECT 2, 'first request', if(count(*) = 0, '-', formatDateTime(fromUnixTimestamp64Nano(min(ts_ns), 'UTC'), '%Y-%m-%d %H:%i:%S')) FROM ja4_logs.http_logs
UNION ALL SELECT 3, 'last request', if(count(*) = 0, '-', formatDateTime(fromUnixTimestamp64Nano(max(ts_ns), 'UTC'), '%Y-%m-%d %H:%i:%S')) FROM ja4_logs.http_logs
UNION ALL SELECT 4, 'handshakes without a request', toString(count(*)) FROM ja4_logs.tls_only
UNION ALL SELECT 5, 'sessions scored', toString(count(*)) FROM ja4_processing.ml_all_scores
UNION ALL SELECT 6, 'anomalous sessions', toString(count(*)) FROM ja4_processing.ml_detected_anomalies
UNION ALL SELECT 7, 'inputs', toString(count(*)) FROM ja4_processing.inputs
UNION ALL SELECT 8, 'runs', toString(count(*)) FROM ja4_processing.runs
UNION ALL SELECT 9, 'lines of shippers that could not be read', toString(count(*)) FROM ja4_logs.http_logs_dead
UNION ALL SELECT 10, 'bytes on disk', toString(sum(bytes_on_disk)) FROM system.parts WHERE active AND startsWith(database, 'ja4_')
UNION ALL SELECT 11, 'schema version', toString(max(version)) FROM ja4_processing.schema_migrations
UNION ALL SELECT 12, 'ClickHouse', version()
) ORDER BY place;
