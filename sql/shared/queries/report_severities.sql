-- Scored sessions by severity: sessions, addresses, requests.
SELECT severity, count(*) AS sessions, count(DISTINCT src_ip) AS addresses, sum(hits) AS requests
FROM ja4_processing.ml_all_scores GROUP BY severity ORDER BY severity;
