-- Brute force against forms, worst first: who, where, how often, with which answers.
SELECT 'brute-force' AS kind, severity, src_ip, host, win_ms, attempts AS evidence_count,
  concat(CAST(attempts AS VARCHAR), ' POST to ', path,
    CASE WHEN answers_4xx > 0 THEN concat(', ', CAST(answers_4xx AS VARCHAR), ' refused') ELSE '' END,
    CASE WHEN answers_3xx > 0 THEN concat(', ', CAST(answers_3xx AS VARCHAR), ' redirected') ELSE '' END, ', ',
    CAST(clients_on_path AS VARCHAR), CASE WHEN clients_on_path = 1 THEN ' client' ELSE ' clients' END, ' on that path') AS evidence, ja4, user_agent, first_ns, last_ns
FROM ja4_processing.view_form_bruteforce_detected
ORDER BY CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END, attempts DESC, win_ms, src_ip, ja4, host, path;
