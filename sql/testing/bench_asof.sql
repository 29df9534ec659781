-- The join by time alone, as a database does it: for each request the last handshake of its address and port; one row a request is made.
CREATE OR REPLACE TABLE joined AS
SELECT r.ts_ns, r.ip, r.port, r.host, r.path, h.ts_ns AS hello_ts_ns, h.sni, h.ja4
FROM requests r ASOF LEFT JOIN handshakes h ON r.ip = h.ip AND r.port = h.port AND r.ts_ns >= h.ts_ns;
