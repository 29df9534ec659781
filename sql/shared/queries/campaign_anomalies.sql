-- Anomalous sessions of a span of hours (start included, end excluded), in key order.
SELECT win_ms, src_ip, ja4, host, session_id, hits, score, severity, user_agent, ua_family, asn, as_name, country, first_ns, last_ns
FROM ja4_processing.ml_all_scores
WHERE anomaly = 1 AND win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT)
ORDER BY win_ms, src_ip, ja4, host;
