-- Campaigns seen since a time (ns), with everything that is kept of them.
SELECT campaign_id, name, first_ns, last_ns, sessions, score, severity, traits, state
FROM ja4_processing.campaigns WHERE last_ns >= CAST(? AS BIGINT) OR state = 'merged' ORDER BY campaign_id;
