-- Desktop: sessions to look at next: unlabelled, the nearest to their threshold first.
SELECT score, threshold, abs(score - threshold) AS distance, severity, src_ip, host, hits, ua_family, ja4, reason, agreement, first_ns, last_ns, session_id, user_agent, win_ms
FROM ja4_processing.ml_all_scores
WHERE label < 0 AND session_id NOT IN (
  SELECT a.session_id FROM ja4_processing.soc_feedback AS a
  INNER JOIN (SELECT session_id, max(ts_ns) AS newest_ns FROM ja4_processing.soc_feedback GROUP BY session_id) AS n
    ON n.session_id = a.session_id AND n.newest_ns = a.ts_ns
  WHERE a.label >= 0
) AND (/*condition*/ 1 = 1)
ORDER BY distance, hits DESC, session_id
LIMIT /*limit*/ 1000;
