-- Desktop: handshakes that no request was joined to, by what they are.
SELECT ja4, sni, protocol, CAST(count(*) AS BIGINT) AS handshakes, CAST(count(DISTINCT src_ip) AS BIGINT) AS ips, min(ts_ns) AS first_ns, max(ts_ns) AS last_ns
FROM ja4_logs.tls_only
GROUP BY ja4, sni, protocol ORDER BY handshakes DESC, ja4, sni, protocol
LIMIT /*limit*/ 1000;
