//! Examples that help texts end with.
//!
//! Promises: every line that begins with `ja4-lab` runs as it stands, in a folder with `site.pcap`, `access.jsonl` and `keys.log` of
//! one site (`lab/tests/it/stranger.rs` runs them). Read next: `../args.rs`.

pub const FINGERPRINT: &str = "Examples:
  ja4-lab fingerprint site.pcap > fingerprints.jsonl
  ja4-lab fingerprint site.pcap --keylog keys.log --format csv > fingerprints.csv
  ja4-lab fingerprint - --format table < site.pcap";

pub const REPLAY: &str = "Examples:
  ja4-lab replay site.pcap --http-log access.jsonl --db site.duckdb
  ja4-lab replay site.pcap --keylog keys.log --db opened.duckdb
  ja4-lab replay site.pcap --http-log access.jsonl --db clear.duckdb --no-score --summary json";

pub const SCORE: &str = "Examples:
  ja4-lab score --db site.duckdb
  ja4-lab score --db site.duckdb --set fpr=0.001
  ja4-lab score --db site.duckdb --set features-=hits --keep-as without-hits";

pub const SESSIONS: &str = "Columns for --where: win_ms, src_ip, client_ip, ja4, host, session_id, model_kind, hits, score, score_eif, \
score_autoencoder, score_boosted, threshold, anomaly, severity, agreement, reason, population_share, label, label_source, user_agent, \
ua_family, asn, as_name, country, first_ns, last_ns.

Examples:
  ja4-lab sessions --db site.duckdb --top 10
  ja4-lab sessions --db site.duckdb --where \"severity = 'critical' AND ua_family = 'chrome'\"
  ja4-lab sessions --db site.duckdb --format csv > sessions.csv";

pub const EXPLAIN: &str = "Examples:
  ja4-lab explain --db site.duckdb --ip 10.77.135.225
  ja4-lab explain --db site.duckdb --session 0de338bcfad270ac";

pub const SQL: &str = "Most asked: ja4_logs.http_logs (requests with their handshakes), ja4_processing.ml_all_scores (sessions),
ja4_processing.view_ai_features_1h (features), ja4_processing.campaigns. All of them, column by column: docs/DATABASE.md.

Examples:
  ja4-lab sql --db site.duckdb 'SELECT * FROM ja4_logs.http_logs LIMIT 5' --format jsonl
  ja4-lab sql --db site.duckdb 'SELECT ja4, count(*) FROM ja4_logs.http_logs GROUP BY ja4'
  ja4-lab sql --db site.duckdb --format parquet 'SELECT * FROM ja4_logs.http_logs' > rows.parquet";
