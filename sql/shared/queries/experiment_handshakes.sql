-- Every handshake once, with or without requests: address, port, time, JA3 and JA4.
SELECT DISTINCT src_ip, src_port, hello_ts_ns AS at_ns, ja3, ja4 FROM ja4_logs.http_logs WHERE hello_ts_ns >= 0 AND ja4 <> ''
UNION ALL
SELECT src_ip, src_port, ts_ns AS at_ns, ja3, ja4 FROM ja4_logs.tls_only WHERE ja4 <> ''
ORDER BY at_ns, src_ip, src_port, ja3, ja4;
