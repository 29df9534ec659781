-- Brute force against forms, worst first: who, where, how often, with which answers.
SELECT 'brute-force' AS kind, severity, src_ip, host, win_ms, attempts AS evidence_count,
  concat(CAST(attempts AS VARCHAR), ' POST to ', path, ', ', CAST(answers_4xx AS VARCHAR), ' refused, ', CAST(answers_3xx AS VARCHAR), ' redirected, ',
    CAST(clients_on_path AS VARCHAR), ' clients on that path') AS evidence, ja4, user_agent, first_ns, last_ns
FROM ja4_processing.view_form_bruteforce_detected
ORDER BY CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END, attempts DESC, win_ms, src_ip, ja4, host, path;
