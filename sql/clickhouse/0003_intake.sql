-- Intake of foreign shippers, scores by day, dictionaries of the reference tables.
-- Promises: a line that cannot be read never fails the insert and is never lost: it goes to http_logs_dead with the reason; a good line
-- becomes a row without handshake. Scores have a partition a day, so that a day is replaced at once. Every statement may be repeated.
-- Read next: access.sql (who may do what), ../README.md (deduplication through views), docs/DATABASE.md.

-- lines of shippers that could not be read, and why
CREATE TABLE IF NOT EXISTS ja4_logs.http_logs_dead (
  received_ns Int64,
  source LowCardinality(String),
  position Int64,
  reason LowCardinality(String),
  line String,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
ORDER BY (received_ns, source, position)
TTL received_day + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;

-- lines that cannot be read, with the first reason found
CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_logs.http_logs_dead_mv TO ja4_logs.http_logs_dead AS
SELECT received_ns, source, position, reason, line
FROM (
  SELECT received_ns, source, position, line, if(JSONExtractString(line, 'src_ip') = '', NULL, toIPv6OrNull(JSONExtractString(line, 'src_ip'))) AS src_address,
    multiIf(
      length(line) > 65536, 'longer than 64 KiB',
      NOT isValidJSON(line), 'is not JSON',
      JSONType(line) != 'Object', 'is no JSON object',
      JSONExtractInt(line, 'v') != 1, 'has no known version (v)',
      JSONType(line, 'ts_ns') NOT IN ('Int64', 'UInt64') OR JSONExtractInt(line, 'ts_ns') <= 0, 'has no time (ts_ns)',
      src_address IS NULL, 'has no address as src_ip',
      '') AS reason
  FROM ja4_logs.http_logs_raw
)
WHERE reason != '';

-- good lines (records of mod_reqin_log, docs/CONTRACTS.md) as rows without handshake, what only the program can tell stays unknown,
-- the key is a hash of line, source and position, a line that is sent again under the same token is dropped
CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_logs.http_logs_raw_mv TO ja4_logs.http_logs AS
SELECT
  reinterpretAsInt64(reverse(substring(key, 1, 8))) AS row_hi,
  reinterpretAsInt64(reverse(substring(key, 9, 8))) AS row_lo,
  JSONExtractInt(text, 'ts_ns') AS ts_ns,
  if(src_address IS NULL, '', replaceRegexpOne(toString(assumeNotNull(src_address)), '^::ffff:([0-9.]+)$', '\\1')) AS src_ip,
  toInt64(if(JSONType(text, 'src_port') IN ('Int64', 'UInt64') AND JSONExtractInt(text, 'src_port') >= 0 AND JSONExtractInt(text, 'src_port') <= 65535, JSONExtractInt(text, 'src_port'), -1)) AS src_port,
  if(dst_address IS NULL, '', replaceRegexpOne(toString(assumeNotNull(dst_address)), '^::ffff:([0-9.]+)$', '\\1')) AS dst_ip,
  toInt64(if(JSONType(text, 'dst_port') IN ('Int64', 'UInt64') AND JSONExtractInt(text, 'dst_port') >= 0 AND JSONExtractInt(text, 'dst_port') <= 65535, JSONExtractInt(text, 'dst_port'), -1)) AS dst_port,
  if(client_address IS NULL, '', replaceRegexpOne(toString(assumeNotNull(client_address)), '^::ffff:([0-9.]+)$', '\\1')) AS client_ip,
  JSONExtractString(text, 'server') AS server,
  JSONExtractString(text, 'conn_id') AS conn_id,
  toInt64(if(JSONType(text, 'request_no') IN ('Int64', 'UInt64') AND JSONExtractInt(text, 'request_no') >= 0, JSONExtractInt(text, 'request_no'), -1)) AS request_no,
  JSONExtractString(text, 'scheme') AS scheme,
  JSONExtractString(text, 'method') AS method,
  lower(replaceRegexpOne(host_text, ':[0-9]*$', '')) AS host,
  JSONExtractString(text, 'path') AS path,
  JSONExtractString(text, 'query') AS query,
  JSONExtractString(text, 'http_version') AS http_version,
  toInt64(if(JSONType(text, 'status') IN ('Int64', 'UInt64') AND JSONExtractInt(text, 'status') >= 0, JSONExtractInt(text, 'status'), -1)) AS status,
  toInt64(if(JSONType(text, 'request_bytes') IN ('Int64', 'UInt64') AND JSONExtractInt(text, 'request_bytes') >= 0, JSONExtractInt(text, 'request_bytes'), -1)) AS request_bytes,
  toInt64(if(JSONType(text, 'response_bytes') IN ('Int64', 'UInt64') AND JSONExtractInt(text, 'response_bytes') >= 0, JSONExtractInt(text, 'response_bytes'), -1)) AS response_bytes,
  toInt64(if(JSONType(text, 'duration_us') IN ('Int64', 'UInt64') AND JSONExtractInt(text, 'duration_us') >= 0, JSONExtractInt(text, 'duration_us'), -1)) AS duration_us,
  toInt64(if(complete, 2, 0)) AS headers_known,
  toInt64(if(complete, length(headers), -1)) AS header_count,
  if(complete, arrayStringConcat(arrayMap(h -> h.1, headers), ','), '') AS header_names,
  if(complete, substring(lower(hex(SHA256(arrayStringConcat(arrayFilter(n -> n NOT IN ('cookie', 'referer'), names), ',')))), 1, 12), '') AS header_order,
  contents[indexOf(names, 'user-agent')] AS user_agent,
  contents[indexOf(names, 'referer')] AS referer,
  contents[indexOf(names, 'accept')] AS accept,
  contents[indexOf(names, 'accept-language')] AS accept_language,
  contents[indexOf(names, 'accept-encoding')] AS accept_encoding,
  contents[indexOf(names, 'content-type')] AS content_type,
  contents[indexOf(names, 'origin')] AS origin,
  contents[indexOf(names, 'sec-ch-ua')] AS sec_ch_ua,
  contents[indexOf(names, 'sec-ch-ua-mobile')] AS sec_ch_ua_mobile,
  contents[indexOf(names, 'sec-ch-ua-platform')] AS sec_ch_ua_platform,
  contents[indexOf(names, 'sec-fetch-site')] AS sec_fetch_site,
  contents[indexOf(names, 'sec-fetch-mode')] AS sec_fetch_mode,
  contents[indexOf(names, 'sec-fetch-dest')] AS sec_fetch_dest,
  contents[indexOf(names, 'x-requested-with')] AS x_requested_with,
  toInt64(if(has(names, 'cookie'), toInt64OrDefault(contents[indexOf(names, 'cookie')], toInt64(-1)), if(complete, toInt64(0), -1))) AS cookie_bytes,
  toInt64(if(has(names, 'authorization'), toInt64OrDefault(contents[indexOf(names, 'authorization')], toInt64(-1)), if(complete, toInt64(0), -1))) AS authorization_bytes,
  toInt64(if(complete, has(names, 'user-agent'), -1)) AS has_user_agent,
  toInt64(if(complete, has(names, 'accept'), -1)) AS has_accept,
  toInt64(if(complete, has(names, 'accept-language'), -1)) AS has_accept_language,
  toInt64(if(complete, has(names, 'accept-encoding'), -1)) AS has_accept_encoding,
  toInt64(if(complete, has(names, 'referer'), -1)) AS has_referer,
  toInt64(if(complete, has(names, 'cookie'), -1)) AS has_cookie,
  toInt64(if(complete, has(names, 'origin'), -1)) AS has_origin,
  toInt64(if(complete, hasAny(names, ['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'sec-fetch-user']), -1)) AS has_sec_fetch,
  toInt64(if(complete, hasAny(names, ['sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform']), -1)) AS has_client_hints,
  toInt64(if(complete, has(names, 'upgrade-insecure-requests'), -1)) AS has_upgrade_insecure,
  JSONExtractString(text, 'h2') AS h2,
  toInt64(if(JSONType(text, 'path') = 'String', countSubstrings(JSONExtractString(text, 'path'), '/'), -1)) AS path_depth,
  toInt64(if(JSONType(text, 'path') = 'String', length(JSONExtractString(text, 'path')), -1)) AS path_bytes,
  toInt64(if(JSONType(text, 'path') = 'String', length(JSONExtractString(text, 'query')), -1)) AS query_bytes,
  toInt64(if(JSONType(text, 'path') = 'String', arrayCount(p -> p != '', splitByChar('&', JSONExtractString(text, 'query'))), -1)) AS query_params,
  toInt64(-1) AS is_asset,
  '' AS asset_kind,
  toInt64(-1) AS is_page,
  toInt64(-1) AS is_api,
  toInt64(-1) AS is_sensitive,
  toInt64(-1) AS is_login,
  toInt64(-1) AS is_robots,
  toInt64(if(complete, length(contents[indexOf(names, 'user-agent')]), -1)) AS ua_bytes,
  '' AS ua_class,
  '' AS ua_family,
  toInt64(-1) AS ua_major,
  '' AS ua_os,
  '' AS protocol,
  '' AS sni,
  '' AS alpn,
  toInt64(-1) AS tls_version,
  '' AS ja3,
  '' AS ja4,
  '' AS ja4_r,
  '' AS ja4_o,
  '' AS ja4s,
  '' AS ja4t,
  '' AS ja4ts,
  toInt64(-1) AS ja4l_us,
  toInt64(-1) AS hello_ts_ns,
  toInt64(-1) AS hello_bytes,
  toInt64(-1) AS hello_segments,
  toInt64(-1) AS cipher_count,
  toInt64(-1) AS extension_count,
  toInt64(-1) AS grease,
  toInt64(-1) AS resumption,
  toInt64(-1) AS ech,
  toInt64(-1) AS ip_ttl,
  toInt64(-1) AS ip_df,
  toInt64(-1) AS tcp_window,
  toInt64(-1) AS tcp_mss,
  toInt64(-1) AS tcp_wscale,
  '' AS tcp_options,
  toInt64(-1) AS syn_to_hello_us,
  if(if(JSONType(text, 'src_port') IN ('Int64', 'UInt64') AND JSONExtractInt(text, 'src_port') >= 0 AND JSONExtractInt(text, 'src_port') <= 65535, JSONExtractInt(text, 'src_port'), -1) < 0, 'no_port', 'no_handshake') AS match_kind,
  0.0 AS match_confidence,
  toInt64(0) AS match_candidates,
  toInt64(-1) AS hello_to_request_us,
  toInt64(-1) AS handshake_request_no,
  toInt64(0) AS asn,
  '' AS as_name,
  '' AS country,
  '' AS ip_bot,
  '' AS ja4_bot,
  '' AS ja4_browser,
  '' AS h2_browser,
  toInt64(-1) AS ua_ja4_mismatch,
  toInt64(-1) AS alpn_mismatch,
  toInt64(-1) AS sni_mismatch,
  toInt64(-1) AS h2_mismatch,
  toInt64(-1) AS hints_mismatch
FROM (
  SELECT SHA256(concat(source, '\0', toString(position), '\0', line)) AS key, toValidUTF8(line) AS text,
    if(JSONExtractString(line, 'src_ip') = '', NULL, toIPv6OrNull(JSONExtractString(line, 'src_ip'))) AS src_address,
    toIPv6OrNull(JSONExtractString(line, 'dst_ip')) AS dst_address,
    coalesce(toIPv6OrNull(JSONExtractString(line, 'client_ip')), src_address) AS client_address,
    JSONExtractString(text, 'host') AS host_text,
    JSONType(text, 'headers') = 'Array' AND JSONExtractBool(text, 'headers_complete') = JSONHas(text, 'headers_complete') AS complete,
    JSONExtract(text, 'headers', 'Array(Tuple(String, String))') AS headers,
    arrayMap(h -> lower(h.1), headers) AS names, arrayMap(h -> h.2, headers) AS contents,
    multiIf(
      length(line) > 65536, 'longer than 64 KiB',
      NOT isValidJSON(line), 'is not JSON',
      JSONType(line) != 'Object', 'is no JSON object',
      JSONExtractInt(line, 'v') != 1, 'has no known version (v)',
      JSONType(line, 'ts_ns') NOT IN ('Int64', 'UInt64') OR JSONExtractInt(line, 'ts_ns') <= 0, 'has no time (ts_ns)',
      src_address IS NULL, 'has no address as src_ip',
      '') AS reason
  FROM ja4_logs.http_logs_raw
)
WHERE reason = '';

-- ml_all_scores anew with a partition a day (whole table first, then both names change at once)
CREATE OR REPLACE TABLE ja4_processing.ml_all_scores_staging (
  win_ms Int64,
  src_ip String,
  ja4 LowCardinality(String),
  host LowCardinality(String),
  session_id String,
  model_name LowCardinality(String),
  model_id LowCardinality(String),
  model_kind LowCardinality(String),
  hits Int64,
  score_eif Float64,
  score_autoencoder Float64,
  score_boosted Float64,
  score Float64,
  threshold Float64,
  anomaly Int64,
  severity LowCardinality(String),
  agreement Float64,
  reason String,
  explanation String,
  population_share Float64,
  label Int64,
  label_source LowCardinality(String),
  user_agent String,
  ua_family LowCardinality(String),
  client_ip String,
  asn Int64,
  as_name LowCardinality(String),
  country LowCardinality(String),
  scored_run LowCardinality(String),
  first_ns Int64,
  last_ns Int64,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
PARTITION BY intDiv(win_ms, 86400000)
ORDER BY (scored_run, win_ms, src_ip, ja4, host)
TTL received_day + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;
INSERT INTO ja4_processing.ml_all_scores_staging SELECT * FROM ja4_processing.ml_all_scores;
EXCHANGE TABLES ja4_processing.ml_all_scores AND ja4_processing.ml_all_scores_staging;
DROP TABLE IF EXISTS ja4_processing.ml_all_scores_staging;

-- ml_detected_anomalies anew with a partition a day (whole table first, then both names change at once)
CREATE OR REPLACE TABLE ja4_processing.ml_detected_anomalies_staging (
  win_ms Int64,
  src_ip String,
  ja4 LowCardinality(String),
  host LowCardinality(String),
  session_id String,
  model_name LowCardinality(String),
  model_id LowCardinality(String),
  model_kind LowCardinality(String),
  hits Int64,
  score_eif Float64,
  score_autoencoder Float64,
  score_boosted Float64,
  score Float64,
  threshold Float64,
  anomaly Int64,
  severity LowCardinality(String),
  agreement Float64,
  reason String,
  explanation String,
  population_share Float64,
  label Int64,
  label_source LowCardinality(String),
  user_agent String,
  ua_family LowCardinality(String),
  client_ip String,
  asn Int64,
  as_name LowCardinality(String),
  country LowCardinality(String),
  scored_run LowCardinality(String),
  first_ns Int64,
  last_ns Int64,
  received_day Date MATERIALIZED today()
) ENGINE = MergeTree
PARTITION BY intDiv(win_ms, 86400000)
ORDER BY (win_ms, src_ip, ja4, host, scored_run)
TTL received_day + INTERVAL 365 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;
INSERT INTO ja4_processing.ml_detected_anomalies_staging SELECT * FROM ja4_processing.ml_detected_anomalies;
EXCHANGE TABLES ja4_processing.ml_detected_anomalies AND ja4_processing.ml_detected_anomalies_staging;
DROP TABLE IF EXISTS ja4_processing.ml_detected_anomalies_staging;

-- autonomous system of an address: dictGet('ja4_processing.dict_asn', 'asn', toIPv6(ip))
CREATE DICTIONARY IF NOT EXISTS ja4_processing.dict_asn (
  cidr String,
  asn Int64 DEFAULT 0,
  as_name String DEFAULT '',
  country String DEFAULT '',
  kind String DEFAULT ''
) PRIMARY KEY cidr
SOURCE(CLICKHOUSE(DB 'ja4_processing' TABLE 'ref_asn'))
LAYOUT(IP_TRIE())
LIFETIME(MIN 300 MAX 600);

-- operator of a crawler's address
CREATE DICTIONARY IF NOT EXISTS ja4_processing.dict_bot_ip (
  cidr String,
  name String DEFAULT '',
  kind String DEFAULT ''
) PRIMARY KEY cidr
SOURCE(CLICKHOUSE(DB 'ja4_processing' TABLE 'ref_bot_ip'))
LAYOUT(IP_TRIE())
LIFETIME(MIN 300 MAX 600);

-- tool known by a JA4
CREATE DICTIONARY IF NOT EXISTS ja4_processing.dict_bot_ja4 (
  ja4 String,
  name String DEFAULT '',
  kind String DEFAULT ''
) PRIMARY KEY ja4
SOURCE(CLICKHOUSE(DB 'ja4_processing' TABLE 'ref_bot_ja4'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 300 MAX 600);

-- browser known by a JA4
CREATE DICTIONARY IF NOT EXISTS ja4_processing.dict_browser_ja4 (
  ja4 String,
  family String DEFAULT '',
  os String DEFAULT ''
) PRIMARY KEY ja4
SOURCE(CLICKHOUSE(DB 'ja4_processing' TABLE 'ref_browser_ja4'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 300 MAX 600);

-- browser known by an HTTP/2 fingerprint
CREATE DICTIONARY IF NOT EXISTS ja4_processing.dict_browser_h2 (
  h2 String,
  family String DEFAULT ''
) PRIMARY KEY h2
SOURCE(CLICKHOUSE(DB 'ja4_processing' TABLE 'ref_browser_h2'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 300 MAX 600);

-- the User-Agent rules in the form that a tree of regular expressions is read from
CREATE VIEW IF NOT EXISTS ja4_processing.ref_rules_user_agent AS
SELECT toUInt64(position + 1) AS id, toUInt64(0) AS parent_id, pattern AS regexp, ['name', 'action'] AS keys,
  [CAST(name AS String), CAST(action AS String)] AS values
FROM ja4_processing.ref_rules_anubis WHERE kind = 'user_agent' AND pattern != '';

-- first policy rule that a User-Agent meets: dictGet('ja4_processing.dict_rules_user_agent', 'action', user_agent)
CREATE DICTIONARY IF NOT EXISTS ja4_processing.dict_rules_user_agent (
  regexp String,
  name String DEFAULT '',
  action String DEFAULT ''
) PRIMARY KEY regexp
SOURCE(CLICKHOUSE(DB 'ja4_processing' TABLE 'ref_rules_user_agent'))
LAYOUT(REGEXP_TREE())
LIFETIME(MIN 300 MAX 600);

-- look-ups by host, session and address (explain) skip what cannot match
ALTER TABLE ja4_logs.http_logs ADD INDEX IF NOT EXISTS by_host host TYPE set(1000) GRANULARITY 4;
ALTER TABLE ja4_processing.ml_all_scores ADD INDEX IF NOT EXISTS by_session session_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE ja4_processing.ml_all_scores ADD INDEX IF NOT EXISTS by_src_ip src_ip TYPE bloom_filter(0.01) GRANULARITY 1;
