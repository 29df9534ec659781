-- Every request with its session, its connection and how it was joined: what the labels of a data set are held against.
SELECT ts_ns, src_ip, src_port, conn_id, ja4, host, match_kind, hello_ts_ns FROM ja4_logs.http_logs
ORDER BY ts_ns, src_ip, src_port, row_hi, row_lo;
