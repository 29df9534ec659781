-- Desktop: campaigns, the worst first.
SELECT campaign_id, name, severity, score, sessions, ips, ja4s, hosts, hits, state, reason, traits, first_ns, last_ns, scored_run
FROM ja4_processing.campaigns
ORDER BY score DESC, hits DESC, campaign_id
LIMIT /*limit*/ 1000;
