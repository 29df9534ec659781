-- Removes everything before a time (ns since 1970), table by table: parts are rewritten, so that nothing stays on the disk.
ALTER TABLE ja4_logs.http_logs DELETE WHERE ts_ns < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_logs.tls_only DELETE WHERE ts_ns < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_logs.http_logs_raw DELETE WHERE received_ns < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_logs.http_logs_dead DELETE WHERE received_ns < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.ml_all_scores DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.ml_detected_anomalies DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.campaign_members DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.campaigns DELETE WHERE last_ns < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.fleet_detections DELETE WHERE last_ns < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.agg_host_1h_parts DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.agg_src_ip_1h_parts DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.agg_ja4_1h_parts DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.agg_session_1h_parts DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.agg_header_signature_1h_parts DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.agg_path_1h_parts DELETE WHERE win_ms * 1000000 < CAST(? AS BIGINT) SETTINGS mutations_sync = 2;
