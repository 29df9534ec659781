-- Groups of sessions with common traits, those last seen in [from, to), ns since 1970.
-- filter campaign (text): AND campaign_id = ?
-- filter severity (severity): AND severity = ?
-- filter state (text): AND state = ?
-- sort: score, sessions, ips, hits, first_ns, last_ns
SELECT campaign_id, name, first_ns, last_ns, sessions, ips, ja4s, hosts, hits, score, severity, reason, traits, state, scored_run
FROM ja4_processing.campaigns
WHERE last_ns >= CAST(? AS BIGINT) AND last_ns < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ score DESC, campaign_id, scored_run
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
