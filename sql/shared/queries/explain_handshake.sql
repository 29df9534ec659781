-- The handshakes of one session, each kind once (JA3 differs by connection where a client permutes its extensions).
SELECT DISTINCT protocol, sni, alpn, tls_version, ja4, ja4_r, ja4s, ja4t, cipher_count, extension_count, grease, resumption,
  ip_ttl, tcp_window, tcp_mss, tcp_wscale, tcp_options, ja4_browser, ja4_bot
FROM ja4_logs.http_logs
WHERE ts_ns >= CAST(? AS BIGINT) * 1000000 AND ts_ns < CAST(? AS BIGINT) * 1000000 + 3600000000000 AND src_ip = ? AND ja4 = ? AND host = ?
ORDER BY protocol, sni, alpn, tls_version, ja4, ja4_r, ja4s, ja4t, cipher_count, extension_count, grease, resumption,
  ip_ttl, tcp_window, tcp_mss, tcp_wscale, tcp_options, ja4_browser, ja4_bot LIMIT 2;
