-- What the erasure of an address (canonical text) would remove, by table.
SELECT kept_in, records FROM (
WITH given AS (SELECT ? AS address)
SELECT 'http_logs' AS kept_in, count(*) AS records FROM ja4_logs.http_logs
WHERE src_ip IN (SELECT address FROM given) OR client_ip IN (SELECT address FROM given)
UNION ALL SELECT 'tls_only', count(*) FROM ja4_logs.tls_only WHERE src_ip IN (SELECT address FROM given)
UNION ALL SELECT 'http_logs_raw', count(*) FROM ja4_logs.http_logs_raw WHERE position(CAST((SELECT address FROM given) AS VARCHAR) IN line) > 0
UNION ALL SELECT 'http_logs_dead', count(*) FROM ja4_logs.http_logs_dead WHERE position(CAST((SELECT address FROM given) AS VARCHAR) IN line) > 0
UNION ALL SELECT 'ml_all_scores', count(*) FROM ja4_processing.ml_all_scores
WHERE src_ip IN (SELECT address FROM given) OR client_ip IN (SELECT address FROM given)
UNION ALL SELECT 'ml_detected_anomalies', count(*) FROM ja4_processing.ml_detected_anomalies
WHERE src_ip IN (SELECT address FROM given) OR client_ip IN (SELECT address FROM given)
UNION ALL SELECT 'campaign_members', count(*) FROM ja4_processing.campaign_members WHERE src_ip IN (SELECT address FROM given)
UNION ALL SELECT 'soc_feedback', count(*) FROM ja4_processing.soc_feedback WHERE src_ip IN (SELECT address FROM given)
) AS counted ORDER BY kept_in;
