-- Requests of a span of time (end excluded) in one order on every store.
SELECT * FROM ja4_logs.http_logs WHERE ts_ns >= CAST(? AS BIGINT) AND ts_ns < CAST(? AS BIGINT) ORDER BY ts_ns, row_hi, row_lo;
