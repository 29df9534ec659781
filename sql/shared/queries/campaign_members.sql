-- Members of the campaigns seen since a time (ns), with what the scores say of them now.
SELECT m.campaign_id AS campaign_id, m.session_id AS session_id, m.win_ms AS win_ms, m.src_ip AS src_ip, m.ja4 AS ja4, m.host AS host,
  m.hits AS hits, m.score AS score, m.membership AS membership, coalesce(s.user_agent_v, '') AS user_agent, coalesce(s.ua_family_v, '') AS ua_family,
  coalesce(s.asn_v, -1) AS asn, coalesce(s.country_v, '') AS country, coalesce(s.severity_v, '') AS severity,
  coalesce(s.first_v, m.win_ms * 1000000) AS first_ns, coalesce(s.last_v, m.win_ms * 1000000) AS last_ns
FROM ja4_processing.campaign_members AS m
INNER JOIN (SELECT campaign_id AS kept_id FROM ja4_processing.campaigns WHERE last_ns >= CAST(? AS BIGINT)) AS c ON c.kept_id = m.campaign_id
LEFT JOIN (SELECT session_id AS id_v, max(user_agent) AS user_agent_v, max(ua_family) AS ua_family_v, max(asn) AS asn_v, max(country) AS country_v,
  max(severity) AS severity_v, min(first_ns) AS first_v, max(last_ns) AS last_v FROM ja4_processing.ml_all_scores GROUP BY session_id) AS s
  ON s.id_v = m.session_id
ORDER BY campaign_id, session_id;
