-- Addresses that showed many identities within an hour.
-- filter ip (address): AND src_ip = ?
-- filter host (text): AND host = ?
-- filter kind (text): AND kind = ?
-- sort: identities, ja4s, user_agents, hits, mismatch_share, win_ms
SELECT win_ms, host, src_ip, hits, ja4s, user_agents, identities, browser_families, ja4s_per_request, mismatch_share, first_ns, last_ns, asn, country,
  ja4_example, ja4_other_example, kind
FROM ja4_processing.view_host_ip_ja4_rotation
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ identities DESC, win_ms, host, src_ip
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
