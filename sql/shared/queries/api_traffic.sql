-- Requests by hour and host.
-- filter host (text): AND host = ?
-- sort: win_ms, hits, n_4xx, n_5xx, n_post, n_mismatch, response_bytes
SELECT win_ms, host, hits, n_2xx, n_3xx, n_4xx, n_5xx, n_post, n_page, n_asset, n_sensitive, n_login_post, n_joined, n_mismatch,
  request_bytes_sum AS request_bytes, response_bytes_sum AS response_bytes, first_ns, last_ns
FROM ja4_processing.agg_host_1h
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ win_ms DESC, win_ms, host
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
