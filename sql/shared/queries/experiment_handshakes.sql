-- Every handshake once, with or without requests: address, port, time, JA3 and JA4. (The order stands outside: in ClickHouse it would be
-- that of the last part of the union alone.)
SELECT src_ip, src_port, at_ns, ja3, ja4 FROM (
  SELECT DISTINCT src_ip, src_port, hello_ts_ns AS at_ns, ja3, ja4 FROM ja4_logs.http_logs WHERE hello_ts_ns >= 0 AND ja4 <> ''
  UNION ALL
  SELECT src_ip, src_port, ts_ns AS at_ns, ja3, ja4 FROM ja4_logs.tls_only WHERE ja4 <> ''
) AS every_handshake
ORDER BY at_ns, src_ip, src_port, ja3, ja4;
