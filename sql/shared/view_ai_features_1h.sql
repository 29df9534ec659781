-- Features of a session: one row per (hour, source address, JA4, host). One text for both engines.
-- Promises: same bits on both engines and in every run, every column is BIGINT/Int64, DOUBLE/Float64 or VARCHAR/String and never
-- NULL, what is unknown gets the neutral value of ../features.toml, which is what an ordinary browser shows.
-- Cost is linear in the rows apart from sorting. Read next: ../features.toml for the meaning of each column, ../README.md for the rules.

CREATE OR REPLACE VIEW ja4_processing.view_ai_features_1h AS
WITH
-- Requests in the order of their session, each with what came before it.
steps AS (
  SELECT r.win_ms AS win_ms, r.src_ip AS src_ip, r.ja4 AS ja4, r.host AS host, r.ts_ms AS ts_ms, r.is_asset AS is_asset,
    CASE WHEN r.is_page = 1 AND (r.status BETWEEN 200 AND 299 OR r.status = 304) THEN 1 ELSE 0 END AS is_good_page,
    row_number() OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo) AS step,
    min(r.ts_ms) OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS prev_ms,
    min(r.ts_ms) OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo ROWS BETWEEN 2 PRECEDING AND 2 PRECEDING) AS prev2_ms,
    min(CASE WHEN r.is_page = 1 AND (r.status BETWEEN 200 AND 299 OR r.status = 304) THEN 1 ELSE 0 END)
      OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS prev_good_page
  FROM ja4_processing.v_requests AS r
),
gaps AS (
  SELECT win_ms, src_ip, ja4, host, is_good_page,
    CASE WHEN step > 1 THEN ts_ms - prev_ms END AS gap_ms,
    CASE WHEN step > 2 THEN prev_ms - prev2_ms END AS prev_gap_ms,
    CASE WHEN step = 1 OR ts_ms - ts_ms % 60000 <> prev_ms - prev_ms % 60000 THEN 1 END AS new_minute,
    CASE WHEN step > 1 AND is_asset = 1 AND prev_good_page = 1 THEN ts_ms - prev_ms END AS cascade_ms
  FROM steps
),
rhythm AS (
  SELECT win_ms, src_ip, ja4, host,
    count(gap_ms) AS gaps_n, coalesce(sum(gap_ms), 0) AS gap_s, coalesce(sum(gap_ms * gap_ms), 0) AS gap_ss,
    bw_q50(gap_ms) AS gap_q50, bw_q875(gap_ms) AS gap_q875, min(gap_ms) AS gap_lo, max(gap_ms) AS gap_hi,
    count(CASE WHEN gap_ms < 100 THEN 1 END) AS gaps_burst, count(CASE WHEN gap_ms >= 10000 THEN 1 END) AS gaps_pause,
    count(prev_gap_ms) AS pairs_n, count(CASE WHEN (gap_ms - prev_gap_ms) * 10 BETWEEN -gap_ms AND gap_ms AND gap_ms >= 50 THEN 1 END) AS pairs_regular,
    count(new_minute) AS minutes_active, sum(is_good_page) AS pages_good, count(cascade_ms) AS cascades, bw_q50(cascade_ms) AS cascade_q50
  FROM gaps GROUP BY win_ms, src_ip, ja4, host
),
-- Pages in the order of their session, each with the page before it: reading time, and whether its Referer is that page.
page_steps AS (
  SELECT r.win_ms AS win_ms, r.src_ip AS src_ip, r.ja4 AS ja4, r.host AS host, r.ts_ms AS ts_ms, r.referer AS referer, r.scheme || '://' || r.host AS origin_v,
    row_number() OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo) AS step,
    min(r.ts_ms) OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS prev_ms,
    min(r.path) OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS prev_path,
    min(r.referer) OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS prev_referer
  FROM ja4_processing.v_requests AS r WHERE r.is_page = 1
),
page_rhythm AS (
  SELECT win_ms, src_ip, ja4, host, bw_q50(CASE WHEN step > 1 THEN ts_ms - prev_ms END) AS page_gap_q50,
    count(CASE WHEN step > 1 AND referer <> '' THEN 1 END) AS pref_k, count(CASE WHEN step > 1 AND referer <> '' AND referer = prev_referer THEN 1 END) AS pref_same,
    count(CASE WHEN step > 1 AND referer <> '' AND substr(referer, 1, length(origin_v) + length(prev_path)) = origin_v || prev_path THEN 1 END) AS pref_follow
  FROM page_steps GROUP BY win_ms, src_ip, ja4, host
),
-- Requests of each path, then how many of the hosts of one client share a path.
path_counts AS (
  SELECT win_ms, src_ip, ja4, host, path, count(*) AS c, count(CASE WHEN is_asset = 1 AND status <> 304 THEN 1 END) AS asset_c
  FROM ja4_processing.v_requests GROUP BY win_ms, src_ip, ja4, host, path
),
paths AS (
  SELECT win_ms, src_ip, ja4, host, count(*) AS paths_n, sum(c) AS c_s, sum(bw_clog2(c)) AS clog_s, max(c) AS c_max,
    sum(asset_c) AS asset_s, count(CASE WHEN asset_c > 0 THEN 1 END) AS assets_n
  FROM path_counts GROUP BY win_ms, src_ip,
  ja4, host
),
path_hosts AS (
  SELECT win_ms, src_ip, ja4, path, count(*) AS k FROM path_counts GROUP BY win_ms, src_ip, ja4, path
),
path_pairs AS (
  SELECT win_ms, src_ip, ja4, sum(k) AS k_s, sum(k * (k - 1)) AS kk_s FROM path_hosts GROUP BY win_ms, src_ip, ja4
),
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
),
company AS (
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
  FROM ranks
),
-- Connections: a source port and a handshake.
connection_rows AS (
  SELECT win_ms, src_ip, ja4, host, src_port, hello_ts_ns, count(*) AS c, max(ja3) AS ja3_c, max(ja4t) AS ja4t_c, max(resumption) AS resumption_c
  FROM ja4_processing.v_requests GROUP BY win_ms, src_ip, ja4, host, src_port, hello_ts_ns
),
connections AS (
  SELECT win_ms, src_ip, ja4, host,
    count(CASE WHEN src_port >= 0 OR hello_ts_ns >= 0 THEN 1 END) AS conns_n, sum(CASE WHEN src_port >= 0 OR hello_ts_ns >= 0 THEN c ELSE 0 END) AS conn_hits,
    max(CASE WHEN src_port >= 0 OR hello_ts_ns >= 0 THEN c ELSE 0 END) AS conn_max,
    count(CASE WHEN c = 1 AND (src_port >= 0 OR hello_ts_ns >= 0) THEN 1 END) AS conns_single,
    count(CASE WHEN ja3_c <> '' THEN 1 END) AS ja3_conns, count(DISTINCT CASE WHEN ja3_c <> '' THEN ja3_c END) AS ja3s_n,
    count(DISTINCT CASE WHEN ja4t_c <> '' THEN ja4t_c END) AS ja4ts_n,
    count(CASE WHEN resumption_c >= 0 THEN 1 END) AS resumption_k, count(CASE WHEN resumption_c = 1 THEN 1 END) AS resumption_1, max(ja3_c) AS ja3_v,
    max(ja4t_c) AS ja4t_v
  FROM connection_rows GROUP BY win_ms, src_ip, ja4, host
),
-- What needs no order: counts and exact sums over the requests.
sums AS (
  SELECT win_ms, src_ip, ja4, host, count(*) AS hits_n, min(ts_ns) AS first_ns_v, max(ts_ns) AS last_ns_v, min(ts_ms) AS first_ms, max(ts_ms) AS last_ms,
    count(CASE WHEN ts_ms % 86400000 < 21600000 THEN 1 END) AS n_night,
    sum(CASE WHEN path_depth > 0 THEN path_depth ELSE 0 END) AS depth_s, sum(CASE WHEN path_depth > 0 THEN path_depth * path_depth ELSE 0 END) AS depth_ss,
    sum(CASE WHEN path_bytes > 0 THEN path_bytes ELSE 0 END) AS path_s, sum(CASE WHEN path_bytes > 0 THEN path_bytes * path_bytes ELSE 0 END) AS path_ss,
    count(CASE WHEN is_page = 1 THEN 1 END) AS n_page, count(CASE WHEN is_api = 1 THEN 1 END) AS n_api, count(CASE WHEN is_asset = 1 THEN 1 END) AS n_asset,
    count(CASE WHEN is_sensitive = 1 THEN 1 END) AS n_sensitive, count(CASE WHEN is_robots = 1 THEN 1 END) AS n_robots,
    count(CASE WHEN is_login = 1 THEN 1 END) AS n_login,
    count(CASE WHEN query_bytes > 0 THEN 1 END) AS n_query, sum(CASE WHEN query_params > 0 THEN query_params ELSE 0 END) AS params_s,
    sum(CASE WHEN query_bytes > 0 THEN query_bytes ELSE 0 END) AS query_s, sum(CASE WHEN query_bytes > 0 THEN query_bytes * query_bytes ELSE 0 END) AS query_ss,
    max(CASE WHEN asset_kind = 'css' THEN 1 ELSE 0 END) AS kind_css, max(CASE WHEN asset_kind = 'js' THEN 1 ELSE 0 END) AS kind_js,
    max(CASE WHEN asset_kind = 'image' THEN 1 ELSE 0 END) AS kind_image, max(CASE WHEN asset_kind = 'font' THEN 1 ELSE 0 END) AS kind_font,
    count(CASE WHEN method = 'GET' THEN 1 END) AS n_get, count(CASE WHEN method = 'POST' THEN 1 END) AS n_post,
    count(CASE WHEN method = 'HEAD' THEN 1 END) AS n_head,
    count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END) AS n_2xx, count(CASE WHEN status BETWEEN 300 AND 399 AND status <> 304 THEN 1 END) AS n_3xx,
    count(CASE WHEN status = 304 THEN 1 END) AS n_304,
    count(CASE WHEN status BETWEEN 400 AND 499 THEN 1 END) AS n_4xx, count(CASE WHEN status = 404 THEN 1 END) AS n_404,
    count(CASE WHEN status = 401 OR status = 403 THEN 1 END) AS n_denied,
    count(CASE WHEN status = 429 THEN 1 END) AS n_429, count(CASE WHEN status >= 500 THEN 1 END) AS n_5xx,
    count(CASE WHEN request_bytes >= 0 THEN 1 END) AS req_n, sum(CASE WHEN request_bytes >= 0 THEN request_bytes ELSE 0 END) AS req_s,
    sum(CASE WHEN request_bytes >= 0 THEN bw_sq(request_bytes) ELSE bw_sq(0) END) AS req_ss,
    count(CASE WHEN response_bytes >= 0 THEN 1 END) AS resp_n, sum(CASE WHEN response_bytes >= 0 THEN response_bytes ELSE 0 END) AS resp_s,
    sum(CASE WHEN response_bytes >= 0 THEN bw_sq(response_bytes) ELSE bw_sq(0) END) AS resp_ss,
    bw_q50(CASE WHEN response_bytes >= 0 THEN response_bytes END) AS resp_q50, bw_q50(CASE WHEN duration_us >= 0 THEN duration_us END) AS dur_q50,
    bw_q875(CASE WHEN duration_us >= 0 THEN duration_us END) AS dur_q875,
    count(CASE WHEN header_count >= 0 THEN 1 END) AS hdr_n, sum(CASE WHEN header_count >= 0 THEN header_count ELSE 0 END) AS hdr_s,
    sum(CASE WHEN header_count >= 0 THEN header_count * header_count ELSE 0 END) AS hdr_ss, count(CASE WHEN header_order <> '' THEN 1 END) AS order_n,
    count(CASE WHEN has_accept >= 0 THEN 1 END) AS accept_k, count(CASE WHEN has_accept = 1 THEN 1 END) AS accept_1,
    count(CASE WHEN has_accept_language >= 0 THEN 1 END) AS lang_k, count(CASE WHEN has_accept_language = 1 THEN 1 END) AS lang_1,
    count(CASE WHEN has_accept_encoding >= 0 THEN 1 END) AS enc_k, count(CASE WHEN has_accept_encoding = 1 THEN 1 END) AS enc_1,
    count(CASE WHEN has_referer >= 0 THEN 1 END) AS ref_k, count(CASE WHEN has_referer = 1 THEN 1 END) AS ref_1,
    count(CASE WHEN has_referer >= 0 AND is_asset = 1 THEN 1 END) AS aref_k, count(CASE WHEN has_referer = 1 AND is_asset = 1 THEN 1 END) AS aref_1,
    count(CASE WHEN has_cookie >= 0 THEN 1 END) AS cookie_k, count(CASE WHEN has_cookie = 1 THEN 1 END) AS cookie_1,
    count(CASE WHEN has_origin >= 0 THEN 1 END) AS origin_k, count(CASE WHEN has_origin = 1 THEN 1 END) AS origin_1,
    count(CASE WHEN has_sec_fetch >= 0 THEN 1 END) AS fetch_k, count(CASE WHEN has_sec_fetch = 1 THEN 1 END) AS fetch_1,
    count(CASE WHEN has_client_hints >= 0 THEN 1 END) AS hints_k, count(CASE WHEN has_client_hints = 1 THEN 1 END) AS hints_1,
    count(CASE WHEN has_upgrade_insecure >= 0 AND is_page = 1 THEN 1 END) AS upg_k,
    count(CASE WHEN has_upgrade_insecure = 1 AND is_page = 1 THEN 1 END) AS upg_1,
    count(CASE WHEN accept = '*/*' THEN 1 END) AS accept_any, count(CASE WHEN has_accept >= 0 AND is_page = 1 THEN 1 END) AS html_k,
    count(CASE WHEN is_page = 1 AND accept LIKE 'text/html%' THEN 1 END) AS html_1,
    count(CASE WHEN accept_encoding LIKE '%br%' THEN 1 END) AS enc_br, count(CASE WHEN accept_language LIKE '%q=%' THEN 1 END) AS lang_q,
    count(CASE WHEN x_requested_with <> '' THEN 1 END) AS n_xhr, count(CASE WHEN sec_fetch_dest <> '' THEN 1 END) AS dest_k,
    count(CASE WHEN (is_asset = 1 AND sec_fetch_dest = 'document') OR (is_page = 1 AND sec_fetch_dest IN ('image', 'script', 'style', 'font')) THEN 1 END) AS dest_bad,
    count(CASE WHEN is_page = 1 AND sec_fetch_site <> '' THEN 1 END) AS site_k, count(CASE WHEN is_page = 1 AND sec_fetch_site = 'none' THEN 1 END) AS site_none,
    count(CASE WHEN is_api = 1 AND sec_fetch_dest <> '' THEN 1 END) AS api_dest_k, count(CASE WHEN is_api = 1 AND sec_fetch_dest = 'document' THEN 1 END) AS api_dest_doc,
    count(CASE WHEN referer <> '' THEN 1 END) AS refv_k,
    count(CASE WHEN referer <> '' AND substr(referer || '/', 1, length(scheme) + length(host) + 4) = scheme || '://' || host || '/' THEN 1 END) AS refv_own,
    count(CASE WHEN authorization_bytes > 0 THEN 1 END) AS n_auth,
    count(CASE WHEN ua_class = 'browser' THEN 1 END) AS ua_browser, count(CASE WHEN ua_class = 'tool' OR ua_class = 'library' THEN 1 END) AS ua_tool,
    count(CASE WHEN ua_class = 'bot' THEN 1 END) AS ua_bot,
    count(CASE WHEN has_user_agent >= 0 OR ua_bytes > 0 THEN 1 END) AS ua_k, count(CASE WHEN has_user_agent = 0 AND ua_bytes <= 0 THEN 1 END) AS ua_empty,
    sum(CASE WHEN ua_bytes > 0 THEN ua_bytes ELSE 0 END) AS ua_s, count(CASE WHEN ua_bytes > 0 THEN 1 END) AS ua_n,
    max(CASE WHEN ua_class = 'browser' AND ua_major BETWEEN 1 AND 400 THEN ua_major ELSE 0 END) AS major_v,
    count(CASE WHEN ua_class = 'browser' AND has_sec_fetch = 0 THEN 1 END) AS browser_no_fetch,
    count(CASE WHEN ua_class = 'browser' AND has_sec_fetch >= 0 THEN 1 END) AS browser_fetch_k,
    count(CASE WHEN ua_class = 'browser' AND ja4 <> '' AND ja4_browser = '' THEN 1 END) AS browser_no_ja4,
    count(CASE WHEN ua_class = 'browser' AND ja4 <> '' THEN 1 END) AS browser_ja4_k,
    count(CASE WHEN ua_ja4_mismatch >= 0 THEN 1 END) AS m_ja4_k, count(CASE WHEN ua_ja4_mismatch = 1 THEN 1 END) AS m_ja4_1,
    count(CASE WHEN alpn_mismatch >= 0 THEN 1 END) AS m_alpn_k, count(CASE WHEN alpn_mismatch = 1 THEN 1 END) AS m_alpn_1,
    count(CASE WHEN sni_mismatch >= 0 THEN 1 END) AS m_sni_k, count(CASE WHEN sni_mismatch = 1 THEN 1 END) AS m_sni_1,
    count(CASE WHEN h2_mismatch >= 0 THEN 1 END) AS m_h2_k, count(CASE WHEN h2_mismatch = 1 THEN 1 END) AS m_h2_1,
    count(CASE WHEN hints_mismatch >= 0 THEN 1 END) AS m_hints_k, count(CASE WHEN hints_mismatch = 1 THEN 1 END) AS m_hints_1,
    count(CASE WHEN ip_ttl > 0 AND ua_os IN ('windows', 'linux', 'android', 'macos', 'ios', 'chromeos') THEN 1 END) AS m_os_k,
    count(CASE WHEN ip_ttl > 0 AND ((ua_os = 'windows' AND (ip_ttl <= 64 OR ip_ttl > 128)) OR (ua_os IN ('linux', 'android', 'macos', 'ios', 'chromeos') AND ip_ttl > 64)) THEN 1 END) AS m_os_1,
    count(CASE WHEN http_version = 'HTTP/2.0' OR http_version = 'HTTP/3.0' THEN 1 END) AS n_http2,
    count(CASE WHEN http_version = 'HTTP/1.0' THEN 1 END) AS n_http10,
    count(CASE WHEN h2 <> '' THEN 1 END) AS h2_n, count(CASE WHEN h2_browser <> '' THEN 1 END) AS h2_browser_n,
    count(CASE WHEN ip_bot <> '' THEN 1 END) AS ip_bot_n,
    max(tls_version) AS tls_max, max(cipher_count) AS cipher_max, max(extension_count) AS ext_max, max(grease) AS grease_max, max(ech) AS ech_max,
    count(CASE WHEN hello_bytes >= 0 THEN 1 END) AS hb_n, sum(CASE WHEN hello_bytes >= 0 THEN hello_bytes ELSE 0 END) AS hb_s,
    count(CASE WHEN hello_segments >= 0 THEN 1 END) AS hs_n, sum(CASE WHEN hello_segments >= 0 THEN hello_segments ELSE 0 END) AS hs_s,
    count(CASE WHEN ip_ttl > 0 THEN 1 END) AS ttl_n, sum(CASE WHEN ip_ttl > 0 THEN ip_ttl ELSE 0 END) AS ttl_s,
    sum(CASE WHEN ip_ttl > 0 THEN ip_ttl * ip_ttl ELSE 0 END) AS ttl_ss, max(ip_ttl) AS ttl_max,
    count(CASE WHEN tcp_window >= 0 THEN 1 END) AS win_n, sum(CASE WHEN tcp_window >= 0 THEN tcp_window ELSE 0 END) AS win_s,
    sum(CASE WHEN tcp_window >= 0 THEN tcp_window * tcp_window ELSE 0 END) AS win_ss,
    max(tcp_mss) AS mss_max, max(tcp_wscale) AS wscale_max, max(ip_df) AS df_max, max(tcp_option_count) AS opt_max,
    min(CASE WHEN syn_to_hello_us >= 0 THEN syn_to_hello_us END) AS s2h_min,
    count(CASE WHEN match_kind = 'exact' THEN 1 END) AS exact_n, count(CASE WHEN handshake_request_no >= 0 THEN 1 END) AS joined_n,
    count(CASE WHEN is_login = 1 AND method = 'POST' THEN 1 END) AS login_posts_n,
    count(CASE WHEN is_login = 1 AND method = 'POST' AND status BETWEEN 400 AND 499 THEN 1 END) AS login_failed,
    max(asn) AS asn_v, max(client_ip) AS client_ip_v, max(ua_family) AS ua_family_v, max(ua_class) AS ua_class_v, max(ua_os) AS ua_os_v, max(h2) AS h2_v,
    max(as_name) AS as_name_v, max(country) AS country_v, max(ip_bot) AS ip_bot_v, max(h2_browser) AS h2_browser_v,
    max(sni) AS sni_v, max(alpn) AS alpn_v, max(ja4_browser) AS ja4_browser_v, max(ja4_bot) AS ja4_bot_v
  FROM ja4_processing.v_requests GROUP BY win_ms, src_ip, ja4, host
),
-- Kind of the autonomous systems.
asns AS (
  SELECT asn, max(CASE WHEN kind = 'hosting' THEN 1 ELSE 0 END) AS hosting FROM ja4_processing.ref_asn GROUP BY asn
)
SELECT
  s.win_ms AS win_ms,
  s.src_ip AS src_ip,
  s.ja4 AS ja4,
  s.host AS host,
  s.first_ns_v AS first_ns,
  s.last_ns_v AS last_ns,
  CASE WHEN s.ja4 = '' THEN 'application' ELSE 'complete' END AS model_kind,
  s.client_ip_v AS client_ip,
  w.user_agent_v AS user_agent,
  s.ua_family_v AS ua_family,
  s.ua_class_v AS ua_class,
  s.ua_os_v AS ua_os,
  w.header_order_v AS header_order,
  s.h2_v AS h2,
  s.h2_browser_v AS h2_browser,
  s.sni_v AS sni,
  s.alpn_v AS alpn,
  c.ja3_v AS ja3,
  c.ja4t_v AS ja4t,
  s.ja4_browser_v AS ja4_browser,
  s.ja4_bot_v AS ja4_bot,
  s.ip_bot_v AS ip_bot,
  s.asn_v AS asn,
  s.as_name_v AS as_name,
  s.country_v AS country,
  'GET ' || CAST(s.n_get AS VARCHAR) || ', POST ' || CAST(s.n_post AS VARCHAR) || ', HEAD ' || CAST(s.n_head AS VARCHAR) || ', other ' || CAST(s.hits_n - s.n_get - s.n_post - s.n_head AS VARCHAR) AS method_mix,
  -- rhythm
  bw_int(s.hits_n) AS hits,
  bw_int(s.last_ms - s.first_ms) AS duration_ms,
  bw_share(s.hits_n * 60000, s.last_ms - s.first_ms + 1000, 0) AS requests_per_minute,
  bw_share(t.gap_s, t.gaps_n, 5000) AS gap_mean_ms,
  bw_std(t.gaps_n, t.gap_s, t.gap_ss, 5000) AS gap_std_ms,
  coalesce(t.gap_q50, 1000e0) AS gap_median_ms,
  coalesce(t.gap_q875, 10000e0) AS gap_q875_ms,
  bw_int(coalesce(t.gap_lo, 50)) AS gap_min_ms,
  bw_int(coalesce(t.gap_hi, 30000)) AS gap_max_ms,
  bw_share(bw_std(t.gaps_n, t.gap_s, t.gap_ss, 5000), bw_share(t.gap_s, t.gaps_n, 5000), 1) AS gap_cv,
  bw_share(coalesce(t.gap_q875, 10000e0) + coalesce(t.gap_lo, 50) - 2 * coalesce(t.gap_q50, 1000e0), coalesce(t.gap_q875, 10000e0) - coalesce(t.gap_lo, 50), 0.5) AS gap_skewness,
  bw_share(t.gaps_burst, t.gaps_n, 0.5) AS burst_share,
  bw_share(t.gaps_pause, t.gaps_n, 0.1) AS pause_share,
  bw_share(t.pairs_regular, t.pairs_n, 0.1) AS gap_regular_share,
  coalesce(g.page_gap_q50, 5000e0) AS page_gap_median_ms,
  bw_share(t.minutes_active, bw_int(floor((s.last_ms - s.last_ms % 60000 - s.first_ms + s.first_ms % 60000) / 60000e0)) + 1, 1) AS active_minutes_share,
  bw_share(s.n_night, s.hits_n, 0) AS night_share,
  -- paths
  bw_int(p.paths_n) AS paths,
  bw_share(p.paths_n, s.hits_n, 1) AS path_unique_share,
  bw_share(bw_clog2(p.c_s) - p.clog_s, p.c_s * 1048576, 0) AS path_entropy_bits,
  bw_share(1e0 * (bw_clog2(p.c_s) - p.clog_s) * (p.paths_n + 1), 1e0 * p.c_s * bw_clog2(p.paths_n + 1), 0) AS path_entropy_normal,
  bw_share(p.c_max, s.hits_n, 1) AS path_top_share,
  bw_share(pp.kk_s, 2 * (w.hosts_n - 1) * pp.k_s - pp.kk_s, 0) AS path_jaccard_hosts,
  bw_share(s.depth_s, s.hits_n, 1) AS path_depth_mean,
  bw_std(s.hits_n, s.depth_s, s.depth_ss, 0) AS path_depth_std,
  bw_share(s.path_s, s.hits_n, 20) AS path_bytes_mean,
  bw_std(s.hits_n, s.path_s, s.path_ss, 0) AS path_bytes_std,
  bw_share(s.n_page, s.hits_n, 0.3) AS page_share,
  bw_share(s.n_api, s.hits_n, 0) AS api_share,
  bw_share(s.n_sensitive, s.hits_n, 0) AS sensitive_share,
  bw_share(s.n_robots, s.hits_n, 0) AS robots_share,
  bw_share(s.n_query, s.hits_n, 0.1) AS query_share,
  bw_share(s.params_s, s.n_query, 1) AS query_params_mean,
  bw_std(s.n_query, s.query_s, s.query_ss, 0) AS query_bytes_std,
  -- methods
  bw_share(s.n_get, s.hits_n, 1) AS get_share,
  bw_share(s.n_post, s.hits_n, 0) AS post_share,
  bw_share(s.n_head, s.hits_n, 0) AS head_share,
  bw_share(s.hits_n - s.n_get - s.n_post - s.n_head, s.hits_n, 0) AS other_method_share,
  -- status
  bw_share(s.n_2xx, s.hits_n, 0) AS status_2xx_share,
  bw_share(s.n_3xx, s.hits_n, 0) AS status_3xx_share,
  bw_share(s.n_304, s.hits_n, 0) AS status_304_share,
  bw_share(s.n_4xx, s.hits_n, 0) AS status_4xx_share,
  bw_share(s.n_404, s.hits_n, 0) AS status_404_share,
  bw_share(s.n_denied, s.hits_n, 0) AS status_denied_share,
  bw_share(s.n_429, s.hits_n, 0) AS status_429_share,
  bw_share(s.n_5xx, s.hits_n, 0) AS status_5xx_share,
  -- sizes
  bw_share(s.req_s, s.req_n, 700) AS request_bytes_mean,
  bw_std(s.req_n, s.req_s, s.req_ss, 200) AS request_bytes_std,
  bw_share(s.resp_s, s.resp_n, 10000) AS response_bytes_mean,
  bw_std(s.resp_n, s.resp_s, s.resp_ss, 20000) AS response_bytes_std,
  coalesce(s.resp_q50, 3000e0) AS response_bytes_median,
  coalesce(s.dur_q50, 1000e0) AS duration_median_us,
  coalesce(s.dur_q875, 5000e0) AS duration_q875_us,
  -- headers
  bw_share(s.hdr_s, s.hdr_n, 14) AS header_count_mean,
  bw_std(s.hdr_n, s.hdr_s, s.hdr_ss, 1) AS header_count_std,
  bw_int(CASE WHEN s.order_n = 0 THEN 2 ELSE w.orders_n END) AS header_orders,
  bw_share(w.orders_n, s.order_n, 0.2) AS header_orders_share,
  bw_share(s.accept_1, s.accept_k, 1) AS accept_rate,
  bw_share(s.lang_1, s.lang_k, 1) AS accept_language_rate,
  bw_share(s.enc_1, s.enc_k, 1) AS accept_encoding_rate,
  bw_share(s.ref_1, s.ref_k, 0.8) AS referer_rate,
  bw_share(s.cookie_1, s.cookie_k, 0.5) AS cookie_rate,
  bw_share(s.origin_1, s.origin_k, 0) AS origin_rate,
  bw_share(s.fetch_1, s.fetch_k, 1) AS sec_fetch_rate,
  bw_share(s.hints_1, s.hints_k, 0.5) AS client_hints_rate,
  bw_share(s.upg_1, s.upg_k, 1) AS upgrade_insecure_page_rate,
  bw_share(s.accept_any, s.accept_k, 0.3) AS accept_any_share,
  bw_share(s.html_1, s.html_k, 1) AS accept_html_page_share,
  bw_share(s.enc_br, s.enc_k, 1) AS encoding_br_share,
  bw_share(s.lang_q, s.lang_k, 1) AS language_weighted_share,
  bw_int(CASE WHEN s.lang_k = 0 THEN 1 ELSE w.languages_n END) AS languages,
  bw_share(s.n_xhr, s.hits_n, 0) AS xhr_share,
  bw_share(s.dest_bad, s.dest_k, 0) AS fetch_dest_mismatch_share,
  bw_share(s.site_none, s.site_k, 0.3) AS fetch_site_none_page_share,
  bw_share(s.api_dest_doc, s.api_dest_k, 0) AS api_as_document_share,
  bw_share(s.refv_own, s.refv_k, 0.9) AS referer_own_share,
  bw_share(coalesce(g.pref_follow, 0), coalesce(g.pref_k, 0), 0.6) AS page_referer_follows_share,
  bw_share(coalesce(g.pref_same, 0), coalesce(g.pref_k, 0), 0.1) AS page_referer_repeat_share,
  bw_share(s.n_auth, s.hits_n, 0) AS authorization_share,
  -- claims
  bw_share(s.ua_browser, s.ua_k, 1) AS ua_browser_share,
  bw_share(s.ua_tool, s.ua_k, 0) AS ua_tool_share,
  bw_share(s.ua_bot, s.ua_k, 0) AS ua_bot_share,
  bw_share(s.ua_empty, s.ua_k, 0) AS ua_empty_share,
  bw_share(s.ua_s, s.ua_n, 110) AS ua_bytes_mean,
  bw_int(w.uas_n) AS user_agents,
  CASE WHEN s.major_v = 0 THEN 0e0 ELSE bw_share(w.major_s, w.major_n, 0) - s.major_v END AS ua_version_lag,
  bw_share(s.m_ja4_1, s.m_ja4_k, 0) AS ua_ja4_mismatch_rate,
  bw_share(s.m_alpn_1, s.m_alpn_k, 0) AS alpn_mismatch_rate,
  bw_share(s.m_sni_1, s.m_sni_k, 0) AS sni_mismatch_rate,
  bw_share(s.m_h2_1, s.m_h2_k, 0) AS h2_mismatch_rate,
  bw_share(s.m_hints_1, s.m_hints_k, 0) AS hints_mismatch_rate,
  bw_share(s.m_os_1, s.m_os_k, 0) AS os_ttl_mismatch_rate,
  bw_share(s.browser_no_fetch, s.browser_fetch_k, 0) AS browser_without_fetch_share,
  bw_share(s.browser_no_ja4, s.browser_ja4_k, 0) AS browser_without_ja4_share,
  bw_share(s.n_http2, s.hits_n, 1) AS http2_share,
  bw_share(s.n_http10, s.hits_n, 0) AS http10_share,
  bw_share(s.h2_browser_n, s.h2_n, 1) AS h2_known_share,
  bw_share(w.h2_sessions, CASE WHEN w.h2_w = '' THEN 0 ELSE w.h2_known_all END, 1) AS h2_population_share,
  bw_share(CASE WHEN s.ja4 = '' THEN 0 ELSE w.family_ja4_sessions END, CASE WHEN s.ja4 = '' THEN 0 ELSE w.family_tls_sessions END, 1) AS ja4_family_share,
  bw_share(CASE WHEN w.header_order_v = '' THEN 0 ELSE w.family_order_sessions END,
    CASE WHEN w.header_order_v = '' THEN 0 ELSE w.family_ordered_sessions END, 1) AS header_order_family_share,
  -- tcp
  bw_int(CASE WHEN s.ttl_n = 0 THEN 64 WHEN s.ttl_max <= 32 THEN 32 WHEN s.ttl_max <= 64 THEN 64 WHEN s.ttl_max <= 128 THEN 128 ELSE 255 END) AS ttl_initial,
  CASE WHEN s.ttl_n = 0 OR s.ttl_max > 255 THEN 10e0 ELSE bw_share(CASE WHEN s.ttl_max <= 32 THEN 32 WHEN s.ttl_max <= 64 THEN 64 WHEN s.ttl_max <= 128 THEN 128 ELSE 255 END * s.ttl_n - s.ttl_s, s.ttl_n, 10) END AS ttl_hops_mean,
  bw_std(s.ttl_n, s.ttl_s, s.ttl_ss, 0) AS ttl_std,
  bw_int(CASE WHEN s.mss_max < 0 THEN 1460 ELSE s.mss_max END) AS tcp_mss,
  bw_share(s.win_s, s.win_n, 64240) AS tcp_window_mean,
  bw_std(s.win_n, s.win_s, s.win_ss, 0) AS tcp_window_std,
  bw_int(CASE WHEN s.wscale_max < 0 THEN 8 ELSE s.wscale_max END) AS tcp_wscale,
  bw_int(CASE WHEN s.df_max < 0 THEN 1 ELSE s.df_max END) AS tcp_df,
  bw_int(CASE WHEN s.opt_max < 0 THEN 5 ELSE s.opt_max END) AS tcp_options_count,
  bw_int(CASE WHEN c.ja4ts_n = 0 THEN 1 ELSE c.ja4ts_n END) AS ja4ts_per_session,
  bw_int(coalesce(s.s2h_min, 30000)) AS syn_to_hello_min_us,
  -- tls
  bw_int(CASE WHEN s.tls_max <= 0 THEN 772 ELSE s.tls_max END) AS tls_version,
  bw_int(CASE WHEN s.cipher_max < 0 THEN 16 ELSE s.cipher_max END) AS tls_ciphers,
  bw_int(CASE WHEN s.ext_max < 0 THEN 16 ELSE s.ext_max END) AS tls_extensions,
  bw_int(CASE WHEN s.grease_max < 0 THEN 1 ELSE s.grease_max END) AS tls_grease,
  bw_share(c.resumption_1, c.resumption_k, 0.2) AS tls_resumption_rate,
  bw_int(CASE WHEN s.ech_max < 0 THEN 1 ELSE s.ech_max END) AS tls_ech,
  bw_int(CASE WHEN s.ja4 = '' OR s.alpn_v LIKE '%h2%' THEN 1 ELSE 0 END) AS tls_alpn_h2,
  bw_int(CASE WHEN s.ja4 = '' OR s.sni_v <> '' THEN 1 ELSE 0 END) AS tls_sni,
  bw_share(s.hb_s, s.hb_n, 1780) AS hello_bytes_mean,
  bw_share(s.hs_s, s.hs_n, 2) AS hello_segments_mean,
  bw_int(CASE WHEN s.ja4 = '' OR s.ja4_browser_v <> '' THEN 1 ELSE 0 END) AS ja4_browser_known,
  bw_share(CASE WHEN c.ja3_conns < 2 THEN 0 ELSE c.ja3s_n END, CASE WHEN c.ja3_conns < 2 THEN 0 ELSE c.ja3_conns END, 0.5) AS ja3_per_connection,
  -- cascade
  bw_share(s.n_asset, s.hits_n, 0.6) AS asset_share,
  bw_share(s.n_asset, s.n_page, 5) AS assets_per_page,
  bw_share(CASE WHEN t.pages_good = 0 THEN 0 WHEN t.cascades > t.pages_good THEN t.pages_good ELSE t.cascades END, t.pages_good, 0.5) AS page_cascade_share,
  coalesce(t.cascade_q50, 200e0) AS cascade_delay_median_ms,
  bw_share(s.aref_1, s.aref_k, 0.95) AS asset_referer_rate,
  bw_int(s.kind_css + s.kind_js + s.kind_image + s.kind_font) AS asset_kinds,
  bw_share(p.asset_s - p.assets_n, p.asset_s, 0) AS asset_repeat_share,
  -- rotation
  bw_int(w.ja4s_of_ip) AS ja4s_per_ip,
  bw_int(w.uas_of_ip) AS user_agents_per_ip,
  bw_int(w.hosts_of_ip) AS hosts_per_ip,
  bw_int(w.hits_of_ip) AS ip_hits,
  bw_share(s.hits_n, w.hits_of_ip, 1) AS session_share_of_ip,
  bw_int(w.agent_n) AS agent_hits,
  bw_share(w.agent_assets, w.agent_n, 0.6) AS agent_asset_share,
  bw_int(CASE WHEN s.ja4 = '' THEN 1 ELSE w.ips_of_ja4 END) AS ips_per_ja4,
  bw_int(CASE WHEN s.ja4 = '' THEN 1 ELSE w.uas_of_ja4 END) AS user_agents_per_ja4,
  bw_share(c.conn_hits, c.conns_n, 6) AS requests_per_connection,
  bw_int(CASE WHEN c.conns_n = 0 THEN 12 ELSE c.conn_max END) AS requests_per_connection_max,
  bw_share(c.conns_single, c.conns_n, 0.2) AS connection_single_share,
  -- brute_force
  bw_share(s.n_login, s.hits_n, 0) AS login_share,
  bw_int(s.login_posts_n) AS login_posts,
  bw_share(s.login_failed, s.login_posts_n, 0) AS login_failed_share,
  bw_share(s.login_posts_n * 60000, s.last_ms - s.first_ms + 1000, 0) AS login_posts_per_minute,
  -- coherence
  bw_share(CASE WHEN s.m_ja4_k = 0 THEN 0 ELSE 30 * (1000 - bw_int(floor(1000 * bw_share(s.m_ja4_1, s.m_ja4_k, 0) + 0.5e0))) END
    + CASE WHEN s.m_alpn_k = 0 THEN 0 ELSE 10 * (1000 - bw_int(floor(1000 * bw_share(s.m_alpn_1, s.m_alpn_k, 0) + 0.5e0))) END
    + CASE WHEN s.m_sni_k = 0 THEN 0 ELSE 10 * (1000 - bw_int(floor(1000 * bw_share(s.m_sni_1, s.m_sni_k, 0) + 0.5e0))) END
    + CASE WHEN s.m_h2_k = 0 THEN 0 ELSE 20 * (1000 - bw_int(floor(1000 * bw_share(s.m_h2_1, s.m_h2_k, 0) + 0.5e0))) END
    + CASE WHEN s.m_hints_k = 0 THEN 0 ELSE 15 * (1000 - bw_int(floor(1000 * bw_share(s.m_hints_1, s.m_hints_k, 0) + 0.5e0))) END
    + CASE WHEN s.m_os_k = 0 THEN 0 ELSE 15 * (1000 - bw_int(floor(1000 * bw_share(s.m_os_1, s.m_os_k, 0) + 0.5e0))) END,
    CASE WHEN s.m_ja4_k = 0 THEN 0 ELSE 30000 END + CASE WHEN s.m_alpn_k = 0 THEN 0 ELSE 10000 END + CASE WHEN s.m_sni_k = 0 THEN 0 ELSE 10000 END
    + CASE WHEN s.m_h2_k = 0 THEN 0 ELSE 20000 END + CASE WHEN s.m_hints_k = 0 THEN 0 ELSE 15000 END
    + CASE WHEN s.m_os_k = 0 THEN 0 ELSE 15000 END, 0.5) AS coherence_score,
  bw_share(CASE WHEN s.ja4_browser_v <> '' THEN 25000 ELSE 0 END
      + CASE WHEN s.h2_n = 0 THEN 0 ELSE 20 * bw_int(floor(1000 * bw_share(CASE WHEN s.h2_browser_n > s.m_h2_1 THEN s.h2_browser_n - s.m_h2_1 ELSE 0 END, s.h2_n, 0) + 0.5e0)) END
      + CASE WHEN s.accept_k + s.lang_k + s.enc_k = 0 THEN 0 ELSE 15 * bw_int(floor(1000 * bw_share(s.accept_1 + s.lang_1 + s.enc_1, s.accept_k + s.lang_k + s.enc_k, 0) + 0.5e0)) END
    + CASE WHEN s.fetch_k = 0 THEN 0 ELSE 15 * bw_int(floor(1000 * bw_share(s.fetch_1, s.fetch_k, 0) + 0.5e0)) END
    + CASE WHEN s.ua_k = 0 THEN 0 ELSE 15 * bw_int(floor(1000 * bw_share(s.ua_browser, s.ua_k, 0) + 0.5e0)) END
      + CASE WHEN t.pages_good = 0 THEN 0 ELSE 10 * bw_int(floor(1000 * bw_share(CASE WHEN t.cascades > t.pages_good THEN t.pages_good ELSE t.cascades END, t.pages_good, 0) + 0.5e0)) END,
    CASE WHEN s.ja4 = '' THEN 0 ELSE 25000 END + CASE WHEN s.h2_n = 0 THEN 0 ELSE 20000 END
    + CASE WHEN s.accept_k + s.lang_k + s.enc_k = 0 THEN 0 ELSE 15000 END + CASE WHEN s.fetch_k = 0 THEN 0 ELSE 15000 END
    + CASE WHEN s.ua_k = 0 THEN 0 ELSE 15000 END + CASE WHEN t.pages_good = 0 THEN 0 ELSE 10000 END, 0.5) AS browser_score,
  CASE WHEN s.ja4 = '' THEN -1e0 WHEN s.ja4_browser_v <> '' THEN 1e0 ELSE 0e0 END AS axis_tls,
  bw_share(CASE WHEN s.h2_browser_n > s.m_h2_1 THEN s.h2_browser_n - s.m_h2_1 ELSE 0 END, s.h2_n, -1) AS axis_h2,
  bw_share(s.accept_1 + s.lang_1 + s.enc_1, s.accept_k + s.lang_k + s.enc_k, -1) AS axis_headers,
  bw_share(s.fetch_1, s.fetch_k, -1) AS axis_fetch,
  bw_share(s.ua_browser, s.ua_k, -1) AS axis_agent,
  bw_share(CASE WHEN t.cascades > t.pages_good THEN t.pages_good ELSE t.cascades END, t.pages_good, -1) AS axis_resources,
  -- reputation
  bw_int(CASE WHEN s.asn_v > 0 THEN 1 ELSE 0 END) AS asn_known,
  bw_int(CASE WHEN coalesce(a.hosting, 0) = 1 THEN 1 ELSE 0 END) AS asn_hosting,
  bw_int(CASE WHEN s.ja4_bot_v <> '' THEN 1 ELSE 0 END) AS ja4_bot_known,
  bw_share(s.ip_bot_n, s.hits_n, 0) AS ip_bot_share,
  -- join
  bw_share(s.joined_n, s.hits_n, 0) AS joined_share,
  bw_share(s.exact_n, s.hits_n, 0) AS exact_share
FROM sums AS s
INNER JOIN rhythm AS t ON t.win_ms = s.win_ms AND t.src_ip = s.src_ip AND t.ja4 = s.ja4 AND t.host = s.host
INNER JOIN paths AS p ON p.win_ms = s.win_ms AND p.src_ip = s.src_ip AND p.ja4 = s.ja4 AND p.host = s.host
INNER JOIN path_pairs AS pp ON pp.win_ms = s.win_ms AND pp.src_ip = s.src_ip AND pp.ja4 = s.ja4
INNER JOIN company AS w ON w.win_ms = s.win_ms AND w.src_ip = s.src_ip AND w.ja4 = s.ja4 AND w.host = s.host
INNER JOIN connections AS c ON c.win_ms = s.win_ms AND c.src_ip = s.src_ip AND c.ja4 = s.ja4 AND c.host = s.host
LEFT JOIN page_rhythm AS g ON g.win_ms = s.win_ms AND g.src_ip = s.src_ip AND g.ja4 = s.ja4 AND g.host = s.host
LEFT JOIN asns AS a ON a.asn = s.asn_v;
