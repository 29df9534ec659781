-- What each session claims to be, and its company: who shares its address, JA4, claimed browser or HTTP/2 fingerprint within the hour.
-- Promises: the same names, types and values as ../duckdb/company.sql. Windows, because a common table expression is computed once
-- for each place that uses it: joining groups with their sessions would count the requests a dozen times.
-- Read next: ../shared/view_ai_features_1h.sql, which is the only one to use it.

CREATE OR REPLACE VIEW ja4_processing.v_company AS
WITH
-- What the client said of itself: each combination of User-Agent, header order and language.
claim_counts AS (
  SELECT win_ms, src_ip, ja4, host, user_agent, header_order, accept_language, count(*) AS c, max(ua_family) AS family_c, max(h2) AS h2_c,
    count(CASE WHEN is_asset = 1 THEN 1 END) AS asset_c,
    max(CASE WHEN ua_class = 'browser' AND ua_major BETWEEN 1 AND 400 THEN ua_major ELSE 0 END) AS major_c
  FROM ja4_processing.v_requests GROUP BY win_ms, src_ip, ja4, host, user_agent, header_order, accept_language
),
claim_ranks AS (
  SELECT win_ms, src_ip, ja4, host, user_agent, header_order, accept_language, c, family_c, h2_c, major_c,
    sum(c) OVER (PARTITION BY win_ms, src_ip, user_agent) AS agent_c, sum(asset_c) OVER (PARTITION BY win_ms, src_ip, user_agent) AS agent_asset_c,
    row_number() OVER (PARTITION BY win_ms, src_ip, ja4, host ORDER BY c DESC, user_agent, header_order, accept_language) AS pos,
    dense_rank() OVER (PARTITION BY win_ms, ja4 ORDER BY user_agent) AS ua_of_ja4,
    dense_rank() OVER (PARTITION BY win_ms, src_ip ORDER BY user_agent) AS ua_of_ip
  FROM claim_counts
),
claims AS (
  SELECT win_ms, src_ip, ja4, host,
    count(DISTINCT user_agent) AS uas_n, count(DISTINCT CASE WHEN header_order <> '' THEN header_order END) AS orders_n,
    count(DISTINCT CASE WHEN accept_language <> '' THEN accept_language END) AS languages_n, max(ua_of_ja4) AS ua_rank_ja4, max(ua_of_ip) AS ua_rank_ip,
    coalesce(max(CASE WHEN pos = 1 THEN user_agent END), '') AS user_agent_v, coalesce(max(CASE WHEN pos = 1 THEN header_order END), '') AS header_order_v,
    sum(c) AS hits_c, max(family_c) AS family_v, max(h2_c) AS h2_w, max(major_c) AS major_w,
    max(CASE WHEN pos = 1 THEN agent_c ELSE 0 END) AS agent_n, max(CASE WHEN pos = 1 THEN agent_asset_c ELSE 0 END) AS agent_assets
  FROM claim_ranks GROUP BY win_ms, src_ip, ja4, host
),
-- The session among the others of its hour: of the same address, of the same JA4, of the same claimed browser.
ranks AS (
  SELECT win_ms, src_ip, ja4, host, uas_n, orders_n, languages_n, ua_rank_ja4, ua_rank_ip, user_agent_v, header_order_v, hits_c, family_v, h2_w, major_w, agent_n, agent_assets,
    dense_rank() OVER (PARTITION BY win_ms, src_ip ORDER BY ja4) AS ja4_rank, dense_rank() OVER (PARTITION BY win_ms, src_ip ORDER BY host) AS host_rank,
    dense_rank() OVER (PARTITION BY win_ms, ja4 ORDER BY src_ip) AS ip_rank
  FROM claims
)
SELECT win_ms, src_ip, ja4, host, uas_n, orders_n, languages_n, user_agent_v, header_order_v, agent_n, agent_assets,
  sum(hits_c) OVER (PARTITION BY win_ms, src_ip) AS hits_of_ip, max(ja4_rank) OVER (PARTITION BY win_ms, src_ip) AS ja4s_of_ip,
  max(host_rank) OVER (PARTITION BY win_ms, src_ip) AS hosts_of_ip, max(ua_rank_ip) OVER (PARTITION BY win_ms, src_ip) AS uas_of_ip,
  max(ip_rank) OVER (PARTITION BY win_ms, ja4) AS ips_of_ja4, max(ua_rank_ja4) OVER (PARTITION BY win_ms, ja4) AS uas_of_ja4,
  count(*) OVER (PARTITION BY win_ms, src_ip, ja4) AS hosts_n,
  count(*) OVER (PARTITION BY win_ms, h2_w) AS h2_sessions, count(CASE WHEN h2_w <> '' THEN 1 END) OVER (PARTITION BY win_ms) AS h2_known_all, h2_w,
  sum(major_w) OVER (PARTITION BY win_ms, family_v) AS major_s, count(CASE WHEN major_w > 0 THEN 1 END) OVER (PARTITION BY win_ms, family_v) AS major_n,
  count(CASE WHEN ja4 <> '' THEN 1 END) OVER (PARTITION BY win_ms, family_v) AS family_tls_sessions,
  count(*) OVER (PARTITION BY win_ms, family_v, ja4) AS family_ja4_sessions,
  count(CASE WHEN header_order_v <> '' THEN 1 END) OVER (PARTITION BY win_ms, family_v) AS family_ordered_sessions,
  count(*) OVER (PARTITION BY win_ms, family_v, header_order_v) AS family_order_sessions
FROM ranks;
