-- How the requests of one session were joined.
SELECT match_kind, count(*) AS requests, min(match_confidence) AS least_confidence, max(match_candidates) AS most_candidates,
  count(DISTINCT hello_ts_ns) AS handshakes, min(hello_to_request_us) AS fastest_us, max(hello_to_request_us) AS slowest_us
FROM ja4_logs.http_logs
WHERE ts_ns >= CAST(? AS BIGINT) * 1000000 AND ts_ns < CAST(? AS BIGINT) * 1000000 + 3600000000000 AND src_ip = ? AND ja4 = ? AND host = ?
GROUP BY match_kind ORDER BY match_kind;
