-- What each address showed as in a span of hours (start included, end excluded): one row per client software and address.
SELECT s.ja4_v AS ja4, s.agent_v AS user_agent, s.ip_v AS src_ip, max(s.asn_v) AS asn, max(s.as_name_v) AS as_name, max(s.country_v) AS country,
  count(*) AS sessions, sum(s.hits_v) AS hits, sum(s.anomaly_v) AS anomalies, count(DISTINCT s.host_v) AS hosts, min(s.host_v) AS host,
  max(s.score_v) AS score, min(s.score_v) AS score_least, min(s.share_v) AS population_share, min(s.first_v) AS first_ns, max(s.last_v) AS last_ns
FROM (
  SELECT ja4 AS ja4_v, user_agent AS agent_v, src_ip AS ip_v, asn AS asn_v, as_name AS as_name_v, country AS country_v, hits AS hits_v, anomaly AS anomaly_v,
    host AS host_v, score AS score_v, population_share AS share_v, first_ns AS first_v, last_ns AS last_v
  FROM ja4_processing.ml_all_scores WHERE win_ms >= CAST(? AS BIGINT) AND win_ms < CAST(? AS BIGINT)
) AS s
GROUP BY s.ja4_v, s.agent_v, s.ip_v
ORDER BY ja4, user_agent, src_ip;
