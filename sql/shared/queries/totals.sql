-- Rows, sessions and anomalies in the database.
SELECT requests, tls_only, sessions, anomalies
FROM (SELECT count(*) AS requests FROM ja4_logs.http_logs) AS r
CROSS JOIN (SELECT count(*) AS tls_only FROM ja4_logs.tls_only) AS t
CROSS JOIN (SELECT count(*) AS sessions FROM (SELECT DISTINCT win_ms, src_ip, ja4, host FROM ja4_processing.v_requests) AS k) AS s
CROSS JOIN (SELECT count(*) AS anomalies FROM ja4_processing.ml_detected_anomalies) AS a;
