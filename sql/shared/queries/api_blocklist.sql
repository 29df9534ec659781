-- Anomalous addresses with their worst session, over windows in [from, to), ms since 1970; the caller leaves out the trusted ones.
WITH worst AS (
  SELECT src_ip, client_ip, severity, score, reason, last_ns,
    row_number() OVER (PARTITION BY src_ip, client_ip ORDER BY score DESC, win_ms, session_id) AS place,
    count(*) OVER (PARTITION BY src_ip, client_ip) AS sessions_n
  FROM ja4_processing.ml_detected_anomalies
  WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT)
)
SELECT src_ip, client_ip, severity, score, reason, last_ns, CAST(sessions_n AS BIGINT) AS sessions
FROM worst WHERE place = 1 ORDER BY src_ip, client_ip;
