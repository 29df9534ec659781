-- The techniques of the thesis by name, one column each, for the sessions of view_ai_features_1h.
-- Promises: every column is a function of that view's columns alone. Larger is more suspicious in *_contradiction, *_rarity, *_absence, *_rotation.
-- Read next: ../features.toml for what goes in, view_ai_features_1h.sql for how it is computed.

CREATE OR REPLACE VIEW ja4_processing.view_thesis_features_1h AS
SELECT
  f.win_ms AS win_ms, f.src_ip AS src_ip, f.ja4 AS ja4, f.host AS host, f.model_kind AS model_kind, f.hits AS hits, f.user_agent AS user_agent,
  f.ua_family AS ua_family,
  -- Coherence of what the client claims with what it shows.
  f.coherence_score AS coherence_score, f.browser_score AS browser_score,
  f.axis_tls AS axis_tls, f.axis_h2 AS axis_h2, f.axis_headers AS axis_headers, f.axis_fetch AS axis_fetch, f.axis_agent AS axis_agent,
  f.axis_resources AS axis_resources,
  f.ua_ja4_mismatch_rate AS ja4_contradiction, f.alpn_mismatch_rate AS alpn_contradiction, f.sni_mismatch_rate AS sni_contradiction,
  f.h2_mismatch_rate AS h2_contradiction, f.hints_mismatch_rate AS hints_contradiction, f.os_ttl_mismatch_rate AS os_contradiction,
  f.fetch_dest_mismatch_share AS fetch_contradiction, 1e0 - f.sec_fetch_rate AS fetch_absence, f.ua_version_lag AS version_lag,
  -- Rarity among those that claim the same.
  1e0 - f.h2_population_share AS h2_rarity, 1e0 - f.h2_known_share AS h2_unknown, 1e0 - f.ja4_family_share AS ja4_rarity,
  1e0 - f.header_order_family_share AS header_order_rarity,
  -- Paths.
  f.path_jaccard_hosts AS path_jaccard_hosts, f.path_entropy_normal AS path_entropy_normal, f.path_unique_share AS path_novelty,
  f.sensitive_share AS sensitive_probing,
  -- Resource cascade.
  1e0 - f.page_cascade_share AS cascade_absence, f.cascade_delay_median_ms AS cascade_delay_ms, 1e0 - f.asset_share AS asset_absence,
  1e0 - f.asset_referer_rate AS referer_absence,
  -- Rhythm.
  f.gap_cv AS gap_cv, f.gap_regular_share AS timer_regularity, f.burst_share AS burst_share, 1e0 - f.pause_share AS reading_absence,
  f.active_minutes_share AS relentlessness,
  -- Rotation and connections.
  bw_share(f.ja4s_per_ip - 1, f.ja4s_per_ip, 0) AS ja4_rotation, bw_share(f.user_agents_per_ip - 1, f.user_agents_per_ip, 0) AS user_agent_rotation,
  bw_share(f.user_agents_per_ja4 - 1, f.user_agents_per_ja4, 0) AS identity_rotation, f.ips_per_ja4 AS ips_per_ja4,
  1e0 - f.session_share_of_ip AS session_splitting,
  f.header_orders_share AS header_order_variety, f.connection_single_share AS connection_churn, 1e0 - f.tls_resumption_rate AS resumption_absence,
  1e0 - f.ja3_per_connection AS permutation_absence,
  -- Brute force.
  f.login_posts_per_minute AS login_pressure, f.login_failed_share AS login_failures
FROM ja4_processing.view_ai_features_1h AS f;
