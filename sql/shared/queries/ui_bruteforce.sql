-- Desktop: attempts against forms.
SELECT severity, kind, src_ip, host, path, attempts, failed_share, attempts_per_minute, answers_429, clients_on_path, attempts_on_path, user_agents,
  request_bytes_spread, ua_class, user_agent, ja4, first_ns, last_ns, win_ms
FROM ja4_processing.view_form_bruteforce_detected
WHERE (/*condition*/ 1 = 1)
ORDER BY /*order*/ attempts DESC
  , win_ms, src_ip, host, path, ja4, user_agent
LIMIT /*limit*/ 1000;
