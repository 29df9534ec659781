-- Desktop: sessions of campaigns with their voices; those of one campaign where it is named.
SELECT m.campaign_id AS campaign_id, m.src_ip AS src_ip, m.host AS host, m.ja4 AS ja4, m.hits AS hits, m.score AS score, m.membership AS membership,
  m.session_id AS session_id, coalesce(s.score_eif, -1e0) AS score_eif, coalesce(s.score_boosted, -1e0) AS score_boosted,
  coalesce(s.ua_family, '') AS ua_family, coalesce(s.reason, '') AS reason, m.win_ms AS win_ms
FROM ja4_processing.campaign_members AS m LEFT JOIN ja4_processing.ml_all_scores AS s ON s.session_id = m.session_id
WHERE ? = '' OR m.campaign_id = ?
ORDER BY campaign_id, score DESC, session_id
LIMIT /*limit*/ 1000;
