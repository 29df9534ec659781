-- Dictionaries where the user `default` has a password or is gone: ClickHouse reads a dictionary's table as `default` without password
-- unless another user is named, and a dictionary that cannot be read answers every dictGet with "default: Authentication failed".
-- An administrator applies this once, after access.sql. No program of ours needs the dictionaries; they are for analysts.
-- Promises: a user that comes from this machine only and reads nothing but reference tables, which hold public lists; it needs no password,
-- so none stands in a definition. But for the user's name each dictionary is that of 0003_intake.sql (testing/check_statements.py).
-- In a cluster: on every node, or with ON CLUSTER behind each name. Read next: access.sql.

CREATE USER IF NOT EXISTS ja4_dictionary IDENTIFIED WITH no_password HOST LOCAL;
GRANT SELECT ON ja4_processing.ref_asn TO ja4_dictionary;
GRANT SELECT ON ja4_processing.ref_bot_ip TO ja4_dictionary;
GRANT SELECT ON ja4_processing.ref_bot_ja4 TO ja4_dictionary;
GRANT SELECT ON ja4_processing.ref_browser_ja4 TO ja4_dictionary;
GRANT SELECT ON ja4_processing.ref_browser_h2 TO ja4_dictionary;
GRANT SELECT ON ja4_processing.ref_rules_anubis TO ja4_dictionary;
GRANT SELECT ON ja4_processing.ref_rules_user_agent TO ja4_dictionary;

CREATE OR REPLACE DICTIONARY ja4_processing.dict_asn (
  cidr String,
  asn Int64 DEFAULT 0,
  as_name String DEFAULT '',
  country String DEFAULT '',
  kind String DEFAULT ''
) PRIMARY KEY cidr
SOURCE(CLICKHOUSE(USER 'ja4_dictionary' DB 'ja4_processing' TABLE 'ref_asn'))
LAYOUT(IP_TRIE())
LIFETIME(MIN 300 MAX 600);

CREATE OR REPLACE DICTIONARY ja4_processing.dict_bot_ip (
  cidr String,
  name String DEFAULT '',
  kind String DEFAULT ''
) PRIMARY KEY cidr
SOURCE(CLICKHOUSE(USER 'ja4_dictionary' DB 'ja4_processing' TABLE 'ref_bot_ip'))
LAYOUT(IP_TRIE())
LIFETIME(MIN 300 MAX 600);

CREATE OR REPLACE DICTIONARY ja4_processing.dict_bot_ja4 (
  ja4 String,
  name String DEFAULT '',
  kind String DEFAULT ''
) PRIMARY KEY ja4
SOURCE(CLICKHOUSE(USER 'ja4_dictionary' DB 'ja4_processing' TABLE 'ref_bot_ja4'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 300 MAX 600);

CREATE OR REPLACE DICTIONARY ja4_processing.dict_browser_ja4 (
  ja4 String,
  family String DEFAULT '',
  os String DEFAULT ''
) PRIMARY KEY ja4
SOURCE(CLICKHOUSE(USER 'ja4_dictionary' DB 'ja4_processing' TABLE 'ref_browser_ja4'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 300 MAX 600);

CREATE OR REPLACE DICTIONARY ja4_processing.dict_browser_h2 (
  h2 String,
  family String DEFAULT ''
) PRIMARY KEY h2
SOURCE(CLICKHOUSE(USER 'ja4_dictionary' DB 'ja4_processing' TABLE 'ref_browser_h2'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 300 MAX 600);

CREATE OR REPLACE DICTIONARY ja4_processing.dict_rules_user_agent (
  regexp String,
  name String DEFAULT '',
  action String DEFAULT ''
) PRIMARY KEY regexp
SOURCE(CLICKHOUSE(USER 'ja4_dictionary' DB 'ja4_processing' TABLE 'ref_rules_user_agent'))
LAYOUT(REGEXP_TREE())
LIFETIME(MIN 300 MAX 600);
