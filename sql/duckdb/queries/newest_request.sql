-- Time of the latest stored request, ns (the smallest BIGINT when there is none), and how many there are.
SELECT coalesce(max(ts_ns), -9223372036854775808), count(*) FROM ja4_logs.http_logs;
