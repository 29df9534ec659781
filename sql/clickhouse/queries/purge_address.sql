-- Erases an address (canonical text, given twice), table by table: parts are rewritten, so that nothing stays on the disk.
ALTER TABLE ja4_logs.http_logs DELETE WHERE (src_ip = ? OR client_ip = ?) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_logs.tls_only DELETE WHERE src_ip IN (?, ?) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_logs.http_logs_raw DELETE WHERE (position(line, ?) > 0 OR position(line, ?) > 0) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_logs.http_logs_dead DELETE WHERE (position(line, ?) > 0 OR position(line, ?) > 0) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.ml_all_scores DELETE WHERE (src_ip = ? OR client_ip = ?) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.ml_detected_anomalies DELETE WHERE (src_ip = ? OR client_ip = ?) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.campaign_members DELETE WHERE src_ip IN (?, ?) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.soc_feedback DELETE WHERE src_ip IN (?, ?) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.agg_src_ip_1h_parts DELETE WHERE src_ip IN (?, ?) SETTINGS mutations_sync = 2;
ALTER TABLE ja4_processing.agg_session_1h_parts DELETE WHERE src_ip IN (?, ?) SETTINGS mutations_sync = 2;
