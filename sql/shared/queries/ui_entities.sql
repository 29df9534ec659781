-- Desktop: addresses, fingerprints, sites, networks, countries and header orders.
SELECT kind, entity, hits, label, country, ips, ja4s, hosts, user_agents, error_share, mismatch_share, sensitive_hits, first_ns, last_ns
FROM ja4_processing.view_dashboard_entities
WHERE kind = ? AND (/*condition*/ 1 = 1)
ORDER BY /*order*/ hits DESC
  , entity
LIMIT /*limit*/ 1000;
