-- What a purge of everything before a time (ns since 1970) would remove, by table.
SELECT kept_in, records FROM (
WITH given AS (SELECT CAST(? AS BIGINT) AS before_ns)
SELECT 'http_logs' AS kept_in, count(*) AS records FROM ja4_logs.http_logs WHERE ts_ns < (SELECT before_ns FROM given)
UNION ALL SELECT 'tls_only', count(*) FROM ja4_logs.tls_only WHERE ts_ns < (SELECT before_ns FROM given)
UNION ALL SELECT 'http_logs_raw', count(*) FROM ja4_logs.http_logs_raw WHERE received_ns < (SELECT before_ns FROM given)
UNION ALL SELECT 'http_logs_dead', count(*) FROM ja4_logs.http_logs_dead WHERE received_ns < (SELECT before_ns FROM given)
UNION ALL SELECT 'ml_all_scores', count(*) FROM ja4_processing.ml_all_scores WHERE win_ms * 1000000 < (SELECT before_ns FROM given)
UNION ALL SELECT 'ml_detected_anomalies', count(*) FROM ja4_processing.ml_detected_anomalies WHERE win_ms * 1000000 < (SELECT before_ns FROM given)
UNION ALL SELECT 'campaign_members', count(*) FROM ja4_processing.campaign_members WHERE win_ms * 1000000 < (SELECT before_ns FROM given)
UNION ALL SELECT 'campaigns', count(*) FROM ja4_processing.campaigns WHERE last_ns < (SELECT before_ns FROM given)
UNION ALL SELECT 'fleet_detections', count(*) FROM ja4_processing.fleet_detections WHERE last_ns < (SELECT before_ns FROM given)
) AS counted ORDER BY kept_in;
