-- User-Agents over all time, each with what it claims and what was seen of those that sent it.
-- Promises: one row per User-Agent, the empty one included, same values on both engines.
-- Read next: view_dashboard_entities for the other entities.

CREATE OR REPLACE VIEW ja4_processing.view_dashboard_user_agents AS
WITH
counted AS (
  SELECT r.user_agent AS ua, count(*) AS n, min(r.ts_ns) AS lo, max(r.ts_ns) AS hi, max(r.ua_class) AS class_hi, max(r.ua_family) AS family_hi,
  max(r.ua_os) AS os_hi, max(r.ua_major) AS major_hi,
    count(DISTINCT r.src_ip) AS ips_n, count(DISTINCT CASE WHEN r.ja4 <> '' THEN r.ja4 END) AS ja4s_n, count(DISTINCT r.host) AS hosts_n,
    count(DISTINCT CASE WHEN r.header_order <> '' THEN r.header_order END) AS orders_n,
    count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS mismatches, count(CASE WHEN r.ua_ja4_mismatch >= 0 THEN 1 END) AS comparable,
    count(CASE WHEN r.status >= 400 THEN 1 END) AS errors, count(CASE WHEN r.is_asset = 1 THEN 1 END) AS assets
  FROM ja4_processing.v_requests AS r GROUP BY r.user_agent
)
SELECT ua AS user_agent, class_hi AS ua_class, family_hi AS ua_family, os_hi AS ua_os, bw_int(major_hi) AS ua_major, bw_int(n) AS hits, bw_int(lo) AS first_ns,
bw_int(hi) AS last_ns, bw_int(ips_n) AS ips, bw_int(ja4s_n) AS ja4s, bw_int(hosts_n) AS hosts,
  bw_int(orders_n) AS header_orders, bw_share(mismatches, comparable, 0) AS ua_ja4_mismatch_rate, bw_share(errors, n, 0) AS error_share,
  bw_share(assets, n, 0) AS asset_share
FROM counted;
