-- What each session claims to be, and its company: who shares its address, JA4, claimed browser or HTTP/2 fingerprint within the hour.
-- Promises: the same names, types and values as ../clickhouse/company.sql. Groups joined with their sessions: a common table expression
-- is computed once here, and windows, each of which sorts every session with all its columns, took twice the time.
-- LEFT, though every session finds its groups: inner joins may be put in another order, and the engine, which cannot tell how many groups there
-- are, joined groups with groups by the hour alone, which filled all memory from 190,000 sessions on.
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
-- The session with the combination that it showed most, of equals the first: least of (count below zero, User-Agent, header order, language).
claim_tops AS (
  SELECT win_ms, src_ip, ja4, host,
    count(DISTINCT user_agent) AS uas_n, count(DISTINCT CASE WHEN header_order <> '' THEN header_order END) AS orders_n,
    count(DISTINCT CASE WHEN accept_language <> '' THEN accept_language END) AS languages_n, min(row(-c, user_agent, header_order, accept_language)) AS top,
    sum(c) AS hits_c, max(family_c) AS family_v, max(h2_c) AS h2_w, max(major_c) AS major_w
  FROM claim_counts GROUP BY win_ms, src_ip, ja4, host
),
claims AS (
  SELECT win_ms, src_ip, ja4, host, uas_n, orders_n, languages_n, top[2] AS user_agent_v, top[3] AS header_order_v, hits_c, family_v, h2_w, major_w
  FROM claim_tops
),
-- By address: requests, JA4s, hosts and User-Agents, and the requests of each User-Agent.
agents AS (
  SELECT win_ms, src_ip, user_agent, sum(c) AS agent_n, sum(asset_c) AS agent_assets FROM claim_counts GROUP BY win_ms, src_ip, user_agent
),
clients AS (
  SELECT win_ms, src_ip, ja4, count(*) AS hosts_n, sum(hits_c) AS hits_k FROM claims GROUP BY win_ms, src_ip, ja4
),
address_ja4s AS (
  SELECT win_ms, src_ip, sum(hits_k) AS hits_of_ip, count(*) AS ja4s_of_ip FROM clients GROUP BY win_ms, src_ip
),
address_agents AS (
  SELECT win_ms, src_ip, count(*) AS uas_of_ip FROM agents GROUP BY win_ms, src_ip
),
address_hosts AS (
  SELECT win_ms, src_ip, count(DISTINCT host) AS hosts_of_ip FROM claims GROUP BY win_ms, src_ip
),
-- By JA4: addresses and User-Agents.
ja4_addresses AS (
  SELECT win_ms, ja4, count(*) AS ips_of_ja4 FROM clients GROUP BY win_ms, ja4
),
ja4_agents AS (
  SELECT win_ms, ja4, count(DISTINCT user_agent) AS uas_of_ja4 FROM claim_counts GROUP BY win_ms, ja4
),
-- By HTTP/2 fingerprint and by claimed browser: how many look the same.
h2s AS (
  SELECT win_ms, h2_w, count(*) AS h2_sessions FROM claims GROUP BY win_ms, h2_w
),
hours AS (
  SELECT win_ms, sum(CASE WHEN h2_w <> '' THEN h2_sessions ELSE 0 END) AS h2_known_all FROM h2s GROUP BY win_ms
),
families AS (
  SELECT win_ms, family_v, sum(major_w) AS major_s, count(CASE WHEN major_w > 0 THEN 1 END) AS major_n,
    count(CASE WHEN ja4 <> '' THEN 1 END) AS family_tls_sessions, count(CASE WHEN header_order_v <> '' THEN 1 END) AS family_ordered_sessions
  FROM claims GROUP BY win_ms, family_v
),
family_ja4s AS (
  SELECT win_ms, family_v, ja4, count(*) AS family_ja4_sessions FROM claims GROUP BY win_ms, family_v, ja4
),
family_orders AS (
  SELECT win_ms, family_v, header_order_v, count(*) AS family_order_sessions FROM claims GROUP BY win_ms, family_v, header_order_v
)
SELECT k.win_ms AS win_ms, k.src_ip AS src_ip, k.ja4 AS ja4, k.host AS host, k.uas_n AS uas_n, k.orders_n AS orders_n, k.languages_n AS languages_n,
  k.user_agent_v AS user_agent_v, k.header_order_v AS header_order_v, n.agent_n AS agent_n, n.agent_assets AS agent_assets,
  i.hits_of_ip AS hits_of_ip, i.ja4s_of_ip AS ja4s_of_ip, ih.hosts_of_ip AS hosts_of_ip, ia.uas_of_ip AS uas_of_ip,
  ji.ips_of_ja4 AS ips_of_ja4, ja.uas_of_ja4 AS uas_of_ja4, e.hosts_n AS hosts_n,
  h.h2_sessions AS h2_sessions, o.h2_known_all AS h2_known_all, k.h2_w AS h2_w, f.major_s AS major_s, f.major_n AS major_n,
  f.family_tls_sessions AS family_tls_sessions, fj.family_ja4_sessions AS family_ja4_sessions,
  f.family_ordered_sessions AS family_ordered_sessions, fo.family_order_sessions AS family_order_sessions
FROM claims AS k
LEFT JOIN agents AS n ON n.win_ms = k.win_ms AND n.src_ip = k.src_ip AND n.user_agent = k.user_agent_v
LEFT JOIN clients AS e ON e.win_ms = k.win_ms AND e.src_ip = k.src_ip AND e.ja4 = k.ja4
LEFT JOIN address_ja4s AS i ON i.win_ms = k.win_ms AND i.src_ip = k.src_ip
LEFT JOIN address_agents AS ia ON ia.win_ms = k.win_ms AND ia.src_ip = k.src_ip
LEFT JOIN address_hosts AS ih ON ih.win_ms = k.win_ms AND ih.src_ip = k.src_ip
LEFT JOIN ja4_addresses AS ji ON ji.win_ms = k.win_ms AND ji.ja4 = k.ja4
LEFT JOIN ja4_agents AS ja ON ja.win_ms = k.win_ms AND ja.ja4 = k.ja4
LEFT JOIN h2s AS h ON h.win_ms = k.win_ms AND h.h2_w = k.h2_w
LEFT JOIN hours AS o ON o.win_ms = k.win_ms
LEFT JOIN families AS f ON f.win_ms = k.win_ms AND f.family_v = k.family_v
LEFT JOIN family_ja4s AS fj ON fj.win_ms = k.win_ms AND fj.family_v = k.family_v AND fj.ja4 = k.ja4
LEFT JOIN family_orders AS fo ON fo.win_ms = k.win_ms AND fo.family_v = k.family_v AND fo.header_order_v = k.header_order_v;
