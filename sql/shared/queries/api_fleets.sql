-- One client software behind many addresses, last seen in [from, to), ns since 1970.
-- filter fleet (text): AND fleet_id = ?
-- filter ja4 (text): AND ja4 = ?
-- filter severity (severity): AND severity = ?
-- sort: score, ips, asns, sessions, hits, last_ns
SELECT fleet_id, first_ns, last_ns, ja4, header_order, user_agent, ips, networks, asns, countries, hosts, sessions, hits, score, severity, reason,
  traits, scored_run
FROM ja4_processing.fleet_detections
WHERE last_ns >= CAST(? AS BIGINT) AND last_ns < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ score DESC, fleet_id, scored_run
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
