-- Desktop: addresses that show many identities.
SELECT src_ip, host, kind, ja4s, user_agents, identities, hits, mismatch_share, country, asn, ja4_example, ja4_other_example, first_ns, last_ns, win_ms
FROM ja4_processing.view_host_ip_ja4_rotation
WHERE (/*condition*/ 1 = 1)
ORDER BY /*order*/ ja4s DESC
  , win_ms, src_ip, host
LIMIT /*limit*/ 1000;
