-- Undoes 0001_init.sql: every table and what they hold is lost.

DROP TABLE IF EXISTS ja4_processing.ref_rules_anubis;
DROP TABLE IF EXISTS ja4_processing.ref_browser_h2;
DROP TABLE IF EXISTS ja4_processing.ref_browser_ja4;
DROP TABLE IF EXISTS ja4_processing.ref_bot_ja4;
DROP TABLE IF EXISTS ja4_processing.ref_bot_ip;
DROP TABLE IF EXISTS ja4_processing.ref_asn;
DROP TABLE IF EXISTS ja4_processing.runs;
DROP TABLE IF EXISTS ja4_processing.inputs;
DROP TABLE IF EXISTS ja4_processing.soc_feedback;
DROP TABLE IF EXISTS ja4_processing.audit_logs;
DROP TABLE IF EXISTS ja4_processing.campaign_members;
DROP TABLE IF EXISTS ja4_processing.campaigns;
DROP TABLE IF EXISTS ja4_processing.fleet_detections;
DROP TABLE IF EXISTS ja4_processing.ml_performance_metrics;
DROP TABLE IF EXISTS ja4_processing.ml_detected_anomalies;
DROP TABLE IF EXISTS ja4_processing.ml_all_scores;
DROP TABLE IF EXISTS ja4_logs.tls_only;
DROP TABLE IF EXISTS ja4_logs.http_logs_raw;
DROP TABLE IF EXISTS ja4_logs.http_logs;
DROP TABLE IF EXISTS ja4_processing.schema_migrations;
