-- Stores handshakes without a request from Arrow columns in memory, in the order and with the types of the table.
INSERT INTO ja4_logs.tls_only SELECT * FROM ja4_columns(?);
