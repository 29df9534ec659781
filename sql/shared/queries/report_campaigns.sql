-- Campaigns with their reasons, worst first.
SELECT name, severity, score, sessions, ips, hits, reason FROM ja4_processing.campaigns ORDER BY score DESC, campaign_id LIMIT 50;
