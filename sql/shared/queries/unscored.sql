-- Start of the latest hour that has requests, and of the latest that was scored, ms since 1970; 0 where there is none.
SELECT newest_ns - newest_ns % 3600000000000 AS requests_ns, scored_ms
FROM (SELECT coalesce(max(ts_ns), 0) AS newest_ns FROM ja4_logs.http_logs) AS r
CROSS JOIN (SELECT coalesce(max(win_ms), 0) AS scored_ms FROM ja4_processing.ml_all_scores) AS s;
