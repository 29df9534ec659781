-- Scored sessions, worst first. The program puts the caller's condition and limit in the two marked places.
SELECT row_number() OVER (ORDER BY score DESC, hits DESC, src_ip, ja4, host, win_ms) AS rank,
  session_id, round(score, 4) AS score, severity, src_ip, host,
  strftime(make_timestamp_ns(win_ms * 1000000), '%Y-%m-%d %H:00') AS hour,
  hits, ua_family AS claims, ja4, reason
FROM ja4_processing.ml_all_scores
WHERE (/*condition*/ true)
ORDER BY rank
LIMIT /*top*/ 25;
