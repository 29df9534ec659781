-- Removes everything before a time (ns since 1970), table by table.
DELETE FROM ja4_logs.http_logs WHERE ts_ns < CAST(? AS BIGINT);
DELETE FROM ja4_logs.tls_only WHERE ts_ns < CAST(? AS BIGINT);
DELETE FROM ja4_logs.http_logs_raw WHERE received_ns < CAST(? AS BIGINT);
DELETE FROM ja4_logs.http_logs_dead WHERE received_ns < CAST(? AS BIGINT);
DELETE FROM ja4_processing.ml_all_scores WHERE win_ms * 1000000 < CAST(? AS BIGINT);
DELETE FROM ja4_processing.ml_detected_anomalies WHERE win_ms * 1000000 < CAST(? AS BIGINT);
DELETE FROM ja4_processing.campaign_members WHERE win_ms * 1000000 < CAST(? AS BIGINT);
DELETE FROM ja4_processing.campaigns WHERE last_ns < CAST(? AS BIGINT);
DELETE FROM ja4_processing.fleet_detections WHERE last_ns < CAST(? AS BIGINT);
