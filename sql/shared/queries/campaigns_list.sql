-- Campaigns, worst first, with how firmly their members belong.
SELECT c.campaign_id AS campaign_id, c.name AS name, c.state AS state, c.severity AS severity, round(c.score, 4) AS score,
  round(coalesce(m.membership_v, 0), 3) AS confidence, c.sessions AS sessions, c.ips AS ips, c.ja4s AS ja4s, c.hosts AS hosts, c.hits AS hits,
  c.first_ns AS first_ns, c.last_ns AS last_ns, c.reason AS reason
FROM ja4_processing.campaigns AS c
LEFT JOIN (SELECT campaign_id AS id_v, avg(membership) AS membership_v FROM ja4_processing.campaign_members GROUP BY campaign_id) AS m ON m.id_v = c.campaign_id
ORDER BY CASE WHEN c.state = 'active' THEN 0 WHEN c.state = 'quiet' THEN 1 ELSE 2 END, c.score DESC, c.sessions DESC, c.campaign_id;
