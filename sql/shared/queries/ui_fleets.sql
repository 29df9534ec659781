-- Desktop: one client software behind many addresses.
SELECT fleet_id, severity, score, ips, networks, asns, countries, hosts, sessions, hits, ja4, user_agent, header_order, reason, traits, first_ns, last_ns
FROM ja4_processing.fleet_detections
ORDER BY score DESC, ips DESC, fleet_id
LIMIT /*limit*/ 1000;
