-- Scored sessions, worst first. The program puts the caller's condition and limit in the two marked places. The condition stands in an
-- inner query, because in ClickHouse an alias of the same level (the rounded score) would win over the column.
SELECT row_number() OVER (ORDER BY s.score DESC, s.hits DESC, s.src_ip, s.ja4, s.host, s.win_ms) AS rank,
  s.session_id AS session_id, round(s.score, 4) AS score, s.severity AS severity, s.src_ip AS src_ip, s.host AS host,
  formatDateTime(fromUnixTimestamp64Milli(s.win_ms, 'UTC'), '%Y-%m-%d %H:00') AS hour,
  s.hits AS hits, s.ua_family AS claims, s.ja4 AS ja4, s.reason AS reason
FROM (SELECT * FROM ja4_processing.ml_all_scores WHERE (/*condition*/ true)) AS s
ORDER BY rank
LIMIT /*top*/ 25;
