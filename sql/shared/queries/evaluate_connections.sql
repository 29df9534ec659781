-- One row per request: the session it belongs to, the port and the time, by which a labels file tells what made it.
SELECT win_ms, src_ip, ja4, host, src_port, ts_ns FROM ja4_processing.v_requests ORDER BY win_ms, src_ip, ja4, host, ts_ns, src_port;
