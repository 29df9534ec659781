-- Undoes 0003_intake.sql: dead letters and dictionaries are lost, scores stay (with their partitions, which 0001 reads as well).

ALTER TABLE ja4_processing.ml_all_scores DROP INDEX IF EXISTS by_src_ip;
ALTER TABLE ja4_processing.ml_all_scores DROP INDEX IF EXISTS by_session;
ALTER TABLE ja4_logs.http_logs DROP INDEX IF EXISTS by_host;
DROP DICTIONARY IF EXISTS ja4_processing.dict_rules_user_agent;
DROP VIEW IF EXISTS ja4_processing.ref_rules_user_agent;
DROP DICTIONARY IF EXISTS ja4_processing.dict_browser_h2;
DROP DICTIONARY IF EXISTS ja4_processing.dict_browser_ja4;
DROP DICTIONARY IF EXISTS ja4_processing.dict_bot_ja4;
DROP DICTIONARY IF EXISTS ja4_processing.dict_bot_ip;
DROP DICTIONARY IF EXISTS ja4_processing.dict_asn;
DROP VIEW IF EXISTS ja4_logs.http_logs_raw_mv;
DROP VIEW IF EXISTS ja4_logs.http_logs_dead_mv;
DROP TABLE IF EXISTS ja4_logs.http_logs_dead;
