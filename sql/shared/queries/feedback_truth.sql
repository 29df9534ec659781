-- Ground truth: every scored session that a standing decision covers, one about the session before one about its address.
WITH ranked AS (
  SELECT target_kind, session_id, src_ip, label, verdict, analyst, ts_ns,
    row_number() OVER (PARTITION BY target_kind, CASE WHEN target_kind = 'session' THEN session_id ELSE src_ip END
      ORDER BY ts_ns DESC, feedback_id DESC) AS place
  FROM ja4_processing.soc_feedback
),
by_session AS (SELECT session_id, label, verdict, analyst, ts_ns FROM ranked WHERE place = 1 AND target_kind = 'session' AND label >= 0),
by_address AS (SELECT src_ip, label, verdict, analyst, ts_ns FROM ranked WHERE place = 1 AND target_kind = 'ip' AND label >= 0),
covered AS (
  SELECT s.session_id AS session_id, s.win_ms AS win_ms, s.src_ip AS src_ip, s.ja4 AS ja4, s.host AS host, s.first_ns AS first_ns, s.last_ns AS last_ns,
    s.score AS score, s.threshold AS threshold, s.anomaly AS anomaly, f.label AS label, f.verdict AS verdict, f.analyst AS analyst, f.ts_ns AS decided_ns,
    0 AS rank_n
  FROM ja4_processing.ml_all_scores AS s INNER JOIN by_session AS f ON f.session_id = s.session_id
  UNION ALL
  SELECT s.session_id AS session_id, s.win_ms AS win_ms, s.src_ip AS src_ip, s.ja4 AS ja4, s.host AS host, s.first_ns AS first_ns, s.last_ns AS last_ns,
    s.score AS score, s.threshold AS threshold, s.anomaly AS anomaly, f.label AS label, f.verdict AS verdict, f.analyst AS analyst, f.ts_ns AS decided_ns,
    1 AS rank_n
  FROM ja4_processing.ml_all_scores AS s INNER JOIN by_address AS f ON f.src_ip = s.src_ip
),
chosen AS (
  SELECT session_id, win_ms, src_ip, ja4, host, first_ns, last_ns, score, threshold, anomaly, label, verdict, analyst, decided_ns,
    row_number() OVER (PARTITION BY session_id, win_ms ORDER BY rank_n, decided_ns DESC) AS place_n
  FROM covered
)
SELECT session_id, win_ms, src_ip, ja4, host, first_ns, last_ns, label, verdict, analyst, decided_ns, score, threshold, anomaly
FROM chosen WHERE place_n = 1
ORDER BY win_ms, src_ip, ja4, host;
