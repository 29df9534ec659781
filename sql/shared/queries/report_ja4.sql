-- The most frequent JA4 with what claims to be behind them.
SELECT ja4, count(*) AS sessions, count(DISTINCT src_ip) AS addresses, max(ua_family) AS claims, avg(score) AS mean_score
FROM ja4_processing.ml_all_scores GROUP BY ja4 ORDER BY sessions DESC, ja4 LIMIT 30;
