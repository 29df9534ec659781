-- JA4 fingerprints seen in [from, to), ns since 1970, each with who sent it.
-- filter ja4 (text): AND ja4 = ?
-- filter host (text): AND host = ?
-- filter ip (address): AND src_ip = ?
-- sort: hits, ips, hosts, user_agents, mismatch_share, first_ns, last_ns
WITH seen AS (
  SELECT ja4, count(*) AS n, min(ts_ns) AS lo, max(ts_ns) AS hi, count(DISTINCT src_ip) AS ips_n, count(DISTINCT host) AS hosts_n,
    count(DISTINCT user_agent) AS uas_n, count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS mismatches, max(ja4_bot) AS bot_hi,
    max(ja4_browser) AS browser_hi, max(user_agent) AS ua_hi
  FROM ja4_logs.http_logs
  WHERE ja4 <> '' AND ts_ns >= CAST(? AS BIGINT) AND ts_ns < CAST(? AS BIGINT) /*filters*/
  GROUP BY ja4
)
SELECT ja4, CAST(n AS BIGINT) AS hits, CAST(lo AS BIGINT) AS first_ns, CAST(hi AS BIGINT) AS last_ns, CAST(ips_n AS BIGINT) AS ips,
  CAST(hosts_n AS BIGINT) AS hosts, CAST(uas_n AS BIGINT) AS user_agents, bw_share(mismatches, n, 0) AS mismatch_share, bot_hi AS known_tool,
  browser_hi AS known_browser, ua_hi AS user_agent_example
FROM seen
ORDER BY /*sort*/ hits DESC, ja4
LIMIT CAST(? AS BIGINT) OFFSET CAST(? AS BIGINT);
