-- Undoes 0002_aggregates.sql: the sums are lost, http_logs is not touched.

DROP VIEW IF EXISTS ja4_processing.agg_host_1h;
DROP VIEW IF EXISTS ja4_processing.agg_host_1h_mv;
DROP TABLE IF EXISTS ja4_processing.agg_host_1h_parts;
DROP VIEW IF EXISTS ja4_processing.agg_src_ip_1h;
DROP VIEW IF EXISTS ja4_processing.agg_src_ip_1h_mv;
DROP TABLE IF EXISTS ja4_processing.agg_src_ip_1h_parts;
DROP VIEW IF EXISTS ja4_processing.agg_ja4_1h;
DROP VIEW IF EXISTS ja4_processing.agg_ja4_1h_mv;
DROP TABLE IF EXISTS ja4_processing.agg_ja4_1h_parts;
DROP VIEW IF EXISTS ja4_processing.agg_session_1h;
DROP VIEW IF EXISTS ja4_processing.agg_session_1h_mv;
DROP TABLE IF EXISTS ja4_processing.agg_session_1h_parts;
DROP VIEW IF EXISTS ja4_processing.agg_header_signature_1h;
DROP VIEW IF EXISTS ja4_processing.agg_header_signature_1h_mv;
DROP TABLE IF EXISTS ja4_processing.agg_header_signature_1h_parts;
DROP VIEW IF EXISTS ja4_processing.agg_path_1h;
DROP VIEW IF EXISTS ja4_processing.agg_path_1h_mv;
DROP TABLE IF EXISTS ja4_processing.agg_path_1h_parts;
