-- Anomalous sessions of a span of hours (start included, end excluded), in key order; the worst 20,000 if there are more.
SELECT win_ms, src_ip, ja4, host, session_id, hits, score, severity, user_agent, ua_family, asn, as_name, country, first_ns, last_ns
FROM (
  SELECT win_ms, src_ip, ja4, host, session_id, hits, score, severity, user_agent, ua_family, asn, as_name, country, first_ns, last_ns
  FROM ja4_processing.ml_all_scores
  WHERE anomaly = 1 AND win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT)
  ORDER BY score DESC, hits DESC, win_ms, src_ip, ja4, host
  LIMIT 20000
) AS worst
ORDER BY win_ms, src_ip, ja4, host;
