-- Desktop: where to look first: the worst session of each address with its reason, without those known to be people.
WITH
worst AS (
  SELECT session_id, severity, src_ip, host, ja4, reason, score, hits
  FROM ja4_processing.ml_all_scores
  WHERE anomaly = 1 AND label <> 0 AND (/*condition*/ 1 = 1)
  ORDER BY score DESC, hits DESC, session_id
  LIMIT 2000
),
ranked AS (
  SELECT session_id, severity, src_ip, host, ja4, reason, score, hits,
    row_number() OVER (PARTITION BY src_ip ORDER BY score DESC, hits DESC, session_id) AS nth
  FROM worst
)
SELECT session_id, severity, src_ip, host, reason, score, hits, ja4
FROM ranked
WHERE nth = 1
ORDER BY score DESC, hits DESC, src_ip
LIMIT /*limit*/ 1000;
