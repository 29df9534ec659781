-- What each address showed as in a span of hours (start included, end excluded): one row per client software and address.
SELECT s.ja4 AS ja4, s.user_agent AS user_agent, s.src_ip AS src_ip, max(s.asn) AS asn, max(s.as_name) AS as_name, max(s.country) AS country,
  count(*) AS sessions, sum(s.hits) AS hits, sum(s.anomaly) AS anomalies, count(DISTINCT s.host) AS hosts, min(s.host) AS host,
  max(s.score) AS score, min(s.score) AS score_least, min(s.population_share) AS population_share, min(s.first_ns) AS first_ns, max(s.last_ns) AS last_ns
FROM (
  SELECT ja4, user_agent, src_ip, asn, as_name, country, CAST(hits AS BIGINT) AS hits, anomaly, host, score, population_share, first_ns, last_ns
  FROM ja4_processing.ml_all_scores WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT)
) AS s
GROUP BY s.ja4, s.user_agent, s.src_ip
ORDER BY ja4, user_agent, src_ip;
