-- Rows, sessions and anomalies in the database.
SELECT (SELECT count(*) FROM ja4_logs.http_logs) AS requests,
  (SELECT count(*) FROM ja4_logs.tls_only) AS tls_only,
  (SELECT count(*) FROM (SELECT DISTINCT win_ms, src_ip, ja4, host FROM ja4_processing.v_requests)) AS sessions,
  (SELECT count(*) FROM ja4_processing.ml_detected_anomalies) AS anomalies;
