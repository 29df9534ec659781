-- Fleets, worst first.
SELECT fleet_id, round(score, 4) AS score, severity, ips, networks, asns, countries, hosts, sessions, hits, ja4, user_agent, first_ns, last_ns, reason
FROM ja4_processing.fleet_detections ORDER BY score DESC, ips DESC, fleet_id;
