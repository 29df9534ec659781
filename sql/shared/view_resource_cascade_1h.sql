-- What a client loads after a page: one row per session, with counts of pages and assets and the delay from a page to its first asset.
-- Promises: same bits on both engines, delays are -1 where no asset followed a page. A browser shows tens of milliseconds and every
-- kind of asset, a scraper nothing, a list of URLs its loop delay. Read next: view_ai_features_1h.sql for the features made of it.

CREATE OR REPLACE VIEW ja4_processing.view_resource_cascade_1h AS
WITH
steps AS (
  SELECT r.win_ms AS win_ms, r.src_ip AS src_ip, r.ja4 AS ja4, r.host AS host, r.ts_ms AS ts_ms, r.is_asset AS is_asset, r.is_page AS is_page,
  r.asset_kind AS asset_kind, r.has_referer AS has_referer, r.user_agent AS user_agent, r.ua_family AS ua_family,
    CASE WHEN r.is_page = 1 AND (r.status BETWEEN 200 AND 299 OR r.status = 304) THEN 1 ELSE 0 END AS is_good_page,
    row_number() OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo) AS step,
    min(r.ts_ms) OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS prev_ms,
    min(CASE WHEN r.is_page = 1 AND (r.status BETWEEN 200 AND 299 OR r.status = 304) THEN 1 ELSE 0 END)
      OVER (PARTITION BY r.win_ms, r.src_ip, r.ja4, r.host ORDER BY r.ts_ns, r.row_lo ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS prev_good_page
  FROM ja4_processing.v_requests AS r
),
delays AS (
  SELECT win_ms, src_ip, ja4, host, is_asset, is_page, is_good_page, asset_kind, has_referer, user_agent, ua_family,
    CASE WHEN step > 1 AND is_asset = 1 AND prev_good_page = 1 THEN ts_ms - prev_ms END AS delay_ms
  FROM steps
)
SELECT win_ms, src_ip, ja4, host, bw_int(count(*)) AS hits,
  bw_int(count(CASE WHEN is_page = 1 THEN 1 END)) AS pages, bw_int(count(CASE WHEN is_good_page = 1 THEN 1 END)) AS pages_served,
  bw_int(count(CASE WHEN is_asset = 1 THEN 1 END)) AS assets,
  bw_int(count(CASE WHEN asset_kind = 'css' THEN 1 END)) AS assets_css, bw_int(count(CASE WHEN asset_kind = 'js' THEN 1 END)) AS assets_js,
  bw_int(count(CASE WHEN asset_kind = 'image' THEN 1 END)) AS assets_image, bw_int(count(CASE WHEN asset_kind = 'font' THEN 1 END)) AS assets_font,
  bw_int(count(delay_ms)) AS cascades, bw_share(count(delay_ms), count(CASE WHEN is_good_page = 1 THEN 1 END), -1) AS cascade_share,
  bw_int(coalesce(min(delay_ms), -1)) AS delay_min_ms, coalesce(bw_q50(delay_ms), -1e0) AS delay_median_ms, coalesce(bw_q875(delay_ms), -1e0) AS delay_q875_ms,
  bw_share(count(CASE WHEN is_asset = 1 THEN 1 END), count(CASE WHEN is_page = 1 THEN 1 END), -1) AS assets_per_page,
  bw_share(count(CASE WHEN is_asset = 1 AND has_referer = 1 THEN 1 END), count(CASE WHEN is_asset = 1 AND has_referer >= 0 THEN 1 END), -1) AS asset_referer_rate,
  CASE WHEN count(CASE WHEN is_good_page = 1 THEN 1 END) >= 5 AND count(CASE WHEN is_asset = 1 THEN 1 END) = 0 THEN 'pages_without_assets'
    WHEN count(CASE WHEN is_page = 1 THEN 1 END) = 0 AND count(CASE WHEN is_asset = 1 THEN 1 END) >= 5 THEN 'assets_without_pages'
    WHEN count(CASE WHEN is_good_page = 1 THEN 1 END) = 0 THEN 'no_pages' WHEN count(delay_ms) = 0 THEN 'no_cascade' ELSE 'cascade' END AS pattern,
  max(ua_family) AS ua_family_seen, min(user_agent) AS user_agent_seen
FROM delays GROUP BY win_ms, src_ip, ja4, host;
