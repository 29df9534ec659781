-- What rules look at, once per session and combination, with the number of requests; whole hours from the first value (ns since 1970), before the second.
SELECT win_ms, src_ip, ja4, host, client_ip, asn, country, user_agent, path, accept, accept_language, accept_encoding, content_type, origin,
  referer, sec_ch_ua, sec_ch_ua_mobile, sec_ch_ua_platform, sec_fetch_site, sec_fetch_mode, sec_fetch_dest, x_requested_with,
  CAST(count(*) AS BIGINT) AS hits
FROM ja4_processing.v_requests
WHERE ts_ns >= CAST(? AS BIGINT) AND ts_ns < CAST(? AS BIGINT)
GROUP BY win_ms, src_ip, ja4, host, client_ip, asn, country, user_agent, path, accept, accept_language, accept_encoding, content_type, origin,
  referer, sec_ch_ua, sec_ch_ua_mobile, sec_ch_ua_platform, sec_fetch_site, sec_fetch_mode, sec_fetch_dest, x_requested_with
ORDER BY win_ms, src_ip, ja4, host, user_agent, path, client_ip, asn, country, accept, accept_language, accept_encoding, content_type, origin,
  referer, sec_ch_ua, sec_ch_ua_mobile, sec_ch_ua_platform, sec_fetch_site, sec_fetch_mode, sec_fetch_dest, x_requested_with;
