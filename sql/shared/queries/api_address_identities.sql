-- The identities one address (given twice) showed: fingerprint and User-Agent together.
WITH seen AS (
  SELECT ja4, user_agent, count(*) AS n, min(ts_ns) AS lo, max(ts_ns) AS hi, max(ja4_bot) AS bot_hi, max(ja4_browser) AS browser_hi,
    max(ua_ja4_mismatch) AS mismatch_hi
  FROM ja4_logs.http_logs WHERE src_ip = ? OR client_ip = ? GROUP BY ja4, user_agent
)
SELECT ja4, user_agent, CAST(n AS BIGINT) AS hits, CAST(lo AS BIGINT) AS first_ns, CAST(hi AS BIGINT) AS last_ns, bot_hi AS known_tool,
  browser_hi AS known_browser, mismatch_hi AS ua_ja4_mismatch
FROM seen ORDER BY hits DESC, ja4, user_agent LIMIT 50;
