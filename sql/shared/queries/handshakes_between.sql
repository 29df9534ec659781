-- Handshakes without a request of a span of time (end excluded) in one order on every store.
SELECT * FROM ja4_logs.tls_only WHERE ts_ns >= CAST(? AS BIGINT) AND ts_ns < CAST(? AS BIGINT) ORDER BY ts_ns, key_hi, key_lo;
