-- Desktop: every voice of every session, for scatter, re-ranking and curves; the label is what analysts decided last, else the stored one.
SELECT s.session_id AS session_id, s.src_ip AS src_ip, s.host AS host, s.ja4 AS ja4, s.ua_family AS ua_family, s.hits AS hits, s.score AS score,
  s.score_eif AS score_eif, s.score_autoencoder AS score_autoencoder, s.score_boosted AS score_boosted, s.threshold AS threshold, s.anomaly AS anomaly,
  s.severity AS severity, CAST(CASE WHEN coalesce(f.decided, 0) > 0 THEN f.decided - 2 ELSE s.label END AS BIGINT) AS label, s.model_kind AS model_kind,
  s.reason AS reason, s.first_ns AS first_ns, s.last_ns AS last_ns
FROM (
  SELECT * FROM ja4_processing.ml_all_scores
  WHERE (/*condition*/ 1 = 1)
  ORDER BY score DESC, hits DESC, src_ip, ja4, host, win_ms
  LIMIT /*limit*/ 1000
) AS s LEFT JOIN (
  SELECT a.session_id AS session_id, max(a.label) + 2 AS decided
  FROM ja4_processing.soc_feedback AS a
  INNER JOIN (SELECT session_id, max(ts_ns) AS newest_ns FROM ja4_processing.soc_feedback GROUP BY session_id) AS n
    ON n.session_id = a.session_id AND n.newest_ns = a.ts_ns
  GROUP BY a.session_id
) AS f ON f.session_id = s.session_id
ORDER BY score DESC, hits DESC, src_ip, ja4, host, first_ns;
