-- Active campaigns with a session at or after a time (ns since 1970), worst first: what alerts about campaigns are made of.
SELECT campaign_id, name, first_ns, last_ns, sessions, hits, score, severity, reason
FROM ja4_processing.campaigns
WHERE state = 'active' AND last_ns >= CAST(? AS BIGINT)
ORDER BY score DESC, campaign_id LIMIT 1000;
