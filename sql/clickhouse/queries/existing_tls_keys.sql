-- Keys of the handshakes without request stored in a time range.
SELECT key_hi, key_lo FROM ja4_logs.tls_only WHERE ts_ns BETWEEN CAST(? AS Int64) AND CAST(? AS Int64);
