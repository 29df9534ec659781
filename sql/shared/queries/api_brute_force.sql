-- Brute force against forms, by hour, address, JA4, host and path.
-- filter ip (address): AND src_ip = ?
-- filter host (text): AND host = ?
-- filter severity (severity): AND severity = ?
-- filter kind (text): AND kind = ?
-- sort: attempts, failed_share, attempts_per_minute, clients_on_path, win_ms
SELECT win_ms, src_ip, ja4, host, path, attempts, answers_2xx, answers_3xx, answers_4xx, answers_429, failed_share, attempts_per_minute, user_agents,
  clients_on_path, attempts_on_path, first_ns, last_ns, user_agent, ua_class, severity, kind
FROM ja4_processing.view_form_bruteforce_detected
WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT) /*filters*/
ORDER BY /*sort*/ attempts DESC, win_ms, src_ip, ja4, host, path
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
