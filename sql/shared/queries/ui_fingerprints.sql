-- Desktop: JA4 with who uses them, what they claim, and what lists know of them.
SELECT ja4, hits, ips, hosts, user_agents, families, browser, bot, mismatches, first_ns, last_ns FROM (
  SELECT ja4, CAST(count(*) AS BIGINT) AS hits, CAST(count(DISTINCT src_ip) AS BIGINT) AS ips, CAST(count(DISTINCT host) AS BIGINT) AS hosts,
    CAST(count(DISTINCT user_agent) AS BIGINT) AS user_agents, CAST(count(DISTINCT ua_family) AS BIGINT) AS families_n, max(ua_family) AS families,
    max(ja4_browser) AS browser, max(ja4_bot) AS bot, CAST(count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS BIGINT) AS mismatches,
    min(ts_ns) AS first_ns, max(ts_ns) AS last_ns
  FROM ja4_logs.http_logs
  WHERE ts_ns >= CAST(? AS BIGINT) AND ts_ns < CAST(? AS BIGINT) AND ja4 <> ''
  GROUP BY ja4
) AS grouped
WHERE (/*condition*/ 1 = 1)
ORDER BY /*order*/ hits DESC
  , ja4
LIMIT /*limit*/ 1000;
