-- Anomalous sessions of the windows from a time on (ms since 1970), worst first: what alerts are made of.
SELECT session_id, win_ms, src_ip, client_ip, ja4, host, hits, score, severity, reason, ua_family, asn, as_name, country, first_ns, last_ns
FROM ja4_processing.ml_detected_anomalies
WHERE win_ms >= CAST(? AS BIGINT)
ORDER BY score DESC, win_ms, session_id
LIMIT 20000;
