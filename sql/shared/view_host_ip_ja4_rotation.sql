-- Rotation of identities: one row per (hour, host, address) that showed three or more JA4, or five or more User-Agents.
-- Two JA4 are ordinary: a browser has one with and one without a pre-shared key.
-- Promises: same bits on both engines. Read next: docs/FEATURES.md, family rotation.

CREATE OR REPLACE VIEW ja4_processing.view_host_ip_ja4_rotation AS
WITH
pairs AS (
  SELECT r.win_ms AS win_ms, r.host AS host, r.src_ip AS src_ip, r.ja4 AS ja4, r.user_agent AS user_agent, count(*) AS n, min(r.ts_ns) AS lo_ns,
  max(r.ts_ns) AS hi_ns,
    count(CASE WHEN r.ua_ja4_mismatch = 1 THEN 1 END) AS n_mismatch, max(r.ja4_browser) AS family, max(r.asn) AS asn, max(r.country) AS country
  FROM ja4_processing.v_requests AS r GROUP BY r.win_ms, r.host, r.src_ip, r.ja4, r.user_agent
),
clients AS (
  SELECT win_ms, host, src_ip, sum(n) AS n_all, count(DISTINCT CASE WHEN ja4 <> '' THEN ja4 END) AS ja4s_n, count(DISTINCT user_agent) AS uas_n,
  count(*) AS pairs_n, count(DISTINCT CASE WHEN family <> '' THEN family END) AS families_n,
    sum(n_mismatch) AS mismatches, min(lo_ns) AS lo, max(hi_ns) AS hi, max(asn) AS asn_seen, max(country) AS country_seen,
    min(CASE WHEN ja4 <> '' THEN ja4 END) AS ja4_lo, max(ja4) AS ja4_hi
  FROM pairs GROUP BY win_ms, host, src_ip
)
SELECT win_ms, host, src_ip, bw_int(n_all) AS hits, bw_int(ja4s_n) AS ja4s, bw_int(uas_n) AS user_agents, bw_int(pairs_n) AS identities,
bw_int(families_n) AS browser_families, bw_share(ja4s_n, n_all, 0) AS ja4s_per_request,
  bw_share(mismatches, n_all, 0) AS mismatch_share, bw_int(lo) AS first_ns, bw_int(hi) AS last_ns, bw_int(asn_seen) AS asn, country_seen AS country,
  coalesce(ja4_lo, '') AS ja4_example, ja4_hi AS ja4_other_example,
  CASE WHEN ja4s_n >= 3 AND uas_n >= 5 THEN 'both' WHEN ja4s_n >= 3 THEN 'ja4' ELSE 'user_agent' END AS kind
FROM clients WHERE ja4s_n >= 3 OR uas_n >= 5;
