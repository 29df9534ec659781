-- Erases an address (canonical text, given twice), table by table.
DELETE FROM ja4_logs.http_logs WHERE (src_ip = ? OR client_ip = ?);
DELETE FROM ja4_logs.tls_only WHERE src_ip IN (?, ?);
DELETE FROM ja4_logs.http_logs_raw WHERE (strpos(line, ?) > 0 OR strpos(line, ?) > 0);
DELETE FROM ja4_logs.http_logs_dead WHERE (strpos(line, ?) > 0 OR strpos(line, ?) > 0);
DELETE FROM ja4_processing.ml_all_scores WHERE (src_ip = ? OR client_ip = ?);
DELETE FROM ja4_processing.ml_detected_anomalies WHERE (src_ip = ? OR client_ip = ?);
DELETE FROM ja4_processing.campaign_members WHERE src_ip IN (?, ?);
DELETE FROM ja4_processing.soc_feedback WHERE src_ip IN (?, ?);
