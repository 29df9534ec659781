-- Everything a dashboard lists, in one shape: addresses, JA4, hosts, autonomous systems, countries and header orders, over all time.
-- Promises: one row per (kind, entity), same values on both engines, entities that are unknown are left out. Filter by kind.
-- Read next: view_dashboard_user_agents for User-Agents.

CREATE OR REPLACE VIEW ja4_processing.view_dashboard_entities AS
WITH
counted AS (
  SELECT 'ip' AS kind, r.src_ip AS entity, count(*) AS n, min(r.ts_ns) AS lo, max(r.ts_ns) AS hi, count(DISTINCT r.src_ip) AS ips_n,
  count(DISTINCT CASE WHEN r.ja4 <> '' THEN r.ja4 END) AS ja4s_n, count(DISTINCT r.host) AS hosts_n, count(DISTINCT r.user_agent) AS uas_n,
    count(CASE WHEN r.status >= 400 THEN 1 END) AS errors, count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS mismatches,
    count(CASE WHEN r.is_sensitive = 1 THEN 1 END) AS probes, max(r.as_name) AS as_name_hi, max(r.country) AS country_hi, max(r.ja4_bot) AS bot_hi,
    max(r.ip_bot) AS ip_bot_hi, max(r.ja4_browser) AS browser_hi
  FROM ja4_processing.v_requests AS r WHERE r.src_ip <> '' GROUP BY entity
  UNION ALL
  SELECT 'ja4' AS kind, r.ja4 AS entity, count(*) AS n, min(r.ts_ns) AS lo, max(r.ts_ns) AS hi, count(DISTINCT r.src_ip) AS ips_n,
  count(DISTINCT CASE WHEN r.ja4 <> '' THEN r.ja4 END) AS ja4s_n, count(DISTINCT r.host) AS hosts_n, count(DISTINCT r.user_agent) AS uas_n,
    count(CASE WHEN r.status >= 400 THEN 1 END) AS errors, count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS mismatches,
    count(CASE WHEN r.is_sensitive = 1 THEN 1 END) AS probes, max(r.as_name) AS as_name_hi, max(r.country) AS country_hi, max(r.ja4_bot) AS bot_hi,
    max(r.ip_bot) AS ip_bot_hi, max(r.ja4_browser) AS browser_hi
  FROM ja4_processing.v_requests AS r WHERE r.ja4 <> '' GROUP BY entity
  UNION ALL
  SELECT 'host' AS kind, r.host AS entity, count(*) AS n, min(r.ts_ns) AS lo, max(r.ts_ns) AS hi, count(DISTINCT r.src_ip) AS ips_n,
  count(DISTINCT CASE WHEN r.ja4 <> '' THEN r.ja4 END) AS ja4s_n, count(DISTINCT r.host) AS hosts_n, count(DISTINCT r.user_agent) AS uas_n,
    count(CASE WHEN r.status >= 400 THEN 1 END) AS errors, count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS mismatches,
    count(CASE WHEN r.is_sensitive = 1 THEN 1 END) AS probes, max(r.as_name) AS as_name_hi, max(r.country) AS country_hi, max(r.ja4_bot) AS bot_hi,
    max(r.ip_bot) AS ip_bot_hi, max(r.ja4_browser) AS browser_hi
  FROM ja4_processing.v_requests AS r WHERE r.host <> '' GROUP BY entity
  UNION ALL
  SELECT 'asn' AS kind, 'AS' || CAST(r.asn AS VARCHAR) AS entity, count(*) AS n, min(r.ts_ns) AS lo, max(r.ts_ns) AS hi, count(DISTINCT r.src_ip) AS ips_n,
  count(DISTINCT CASE WHEN r.ja4 <> '' THEN r.ja4 END) AS ja4s_n, count(DISTINCT r.host) AS hosts_n, count(DISTINCT r.user_agent) AS uas_n,
    count(CASE WHEN r.status >= 400 THEN 1 END) AS errors, count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS mismatches,
    count(CASE WHEN r.is_sensitive = 1 THEN 1 END) AS probes, max(r.as_name) AS as_name_hi, max(r.country) AS country_hi, max(r.ja4_bot) AS bot_hi,
    max(r.ip_bot) AS ip_bot_hi, max(r.ja4_browser) AS browser_hi
  FROM ja4_processing.v_requests AS r WHERE r.asn > 0 GROUP BY entity
  UNION ALL
  SELECT 'country' AS kind, r.country AS entity, count(*) AS n, min(r.ts_ns) AS lo, max(r.ts_ns) AS hi, count(DISTINCT r.src_ip) AS ips_n,
  count(DISTINCT CASE WHEN r.ja4 <> '' THEN r.ja4 END) AS ja4s_n, count(DISTINCT r.host) AS hosts_n, count(DISTINCT r.user_agent) AS uas_n,
    count(CASE WHEN r.status >= 400 THEN 1 END) AS errors, count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS mismatches,
    count(CASE WHEN r.is_sensitive = 1 THEN 1 END) AS probes, max(r.as_name) AS as_name_hi, max(r.country) AS country_hi, max(r.ja4_bot) AS bot_hi,
    max(r.ip_bot) AS ip_bot_hi, max(r.ja4_browser) AS browser_hi
  FROM ja4_processing.v_requests AS r WHERE r.country <> '' GROUP BY entity
  UNION ALL
  SELECT 'header_order' AS kind, r.header_order AS entity, count(*) AS n, min(r.ts_ns) AS lo, max(r.ts_ns) AS hi, count(DISTINCT r.src_ip) AS ips_n,
  count(DISTINCT CASE WHEN r.ja4 <> '' THEN r.ja4 END) AS ja4s_n, count(DISTINCT r.host) AS hosts_n, count(DISTINCT r.user_agent) AS uas_n,
    count(CASE WHEN r.status >= 400 THEN 1 END) AS errors, count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS mismatches,
    count(CASE WHEN r.is_sensitive = 1 THEN 1 END) AS probes, max(r.as_name) AS as_name_hi, max(r.country) AS country_hi, max(r.ja4_bot) AS bot_hi,
    max(r.ip_bot) AS ip_bot_hi, max(r.ja4_browser) AS browser_hi
  FROM ja4_processing.v_requests AS r WHERE r.header_order <> '' GROUP BY entity
)
SELECT kind, entity, bw_int(n) AS hits, bw_int(lo) AS first_ns, bw_int(hi) AS last_ns, bw_int(ips_n) AS ips, bw_int(ja4s_n) AS ja4s, bw_int(hosts_n) AS hosts,
bw_int(uas_n) AS user_agents,
  bw_share(errors, n, 0) AS error_share, bw_share(mismatches, n, 0) AS mismatch_share, bw_int(probes) AS sensitive_hits,
  CASE WHEN kind = 'ip' THEN ip_bot_hi WHEN kind = 'ja4' THEN CASE WHEN bot_hi <> '' THEN bot_hi ELSE browser_hi END WHEN kind = 'asn' THEN as_name_hi ELSE '' END AS label,
  CASE WHEN kind IN ('ip', 'asn') THEN country_hi ELSE '' END AS country
FROM counted;
