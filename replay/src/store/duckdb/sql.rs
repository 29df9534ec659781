//! Every statement this program runs on DuckDB, embedded from `sql/`: no SQL is written inside Rust.
//!
//! Promises: the texts are constants; values reach them as parameters only.
//!
//! Read next: `sql/README.md`.

use crate::store::TableName;

/// Requests.
pub const HTTP_LOGS: TableName = TableName { schema: "ja4_logs", table: "http_logs" };
/// Handshakes without a request.
pub const TLS_ONLY: TableName = TableName { schema: "ja4_logs", table: "tls_only" };
/// Scores.
pub const ML_ALL_SCORES: TableName = TableName { schema: "ja4_processing", table: "ml_all_scores" };

/// One numbered schema change.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its number; ascending, gaps are allowed.
    pub version: i64,
    /// File name without number.
    pub name: &'static str,
    /// The statements.
    pub text: &'static str,
}

/// All schema changes, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "init", text: include_str!("../../../../sql/duckdb/0001_init.sql") },
    Migration { version: 3, name: "intake", text: include_str!("../../../../sql/duckdb/0003_intake.sql") },
    Migration { version: 5, name: "operation", text: include_str!("../../../../sql/duckdb/0005_operation.sql") },
    Migration { version: 6, name: "service", text: include_str!("../../../../sql/duckdb/0006_service.sql") },
    Migration { version: 17, name: "judges", text: include_str!("../../../../sql/duckdb/0017_judges.sql") },
];

/// Functions and views, applied after the migrations each time, in this order.
pub const VIEWS: &[&str] = &[
    include_str!("../../../../sql/duckdb/prelude.sql"),
    include_str!("../../../../sql/duckdb/base.sql"),
    include_str!("../../../../sql/duckdb/aggregates.sql"),
    include_str!("../../../../sql/shared/view_ai_features_1h.sql"),
    include_str!("../../../../sql/shared/view_thesis_features_1h.sql"),
    include_str!("../../../../sql/shared/view_resource_cascade_1h.sql"),
    include_str!("../../../../sql/shared/view_form_bruteforce_detected.sql"),
    include_str!("../../../../sql/shared/view_host_ip_ja4_rotation.sql"),
    include_str!("../../../../sql/shared/view_dashboard_entities.sql"),
    include_str!("../../../../sql/shared/view_dashboard_user_agents.sql"),
    include_str!("../../../../sql/duckdb/bounded.sql"),
];

/// The newest schema this program knows.
#[must_use]
pub fn latest_version() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

macro_rules! queries {
    ($folder:literal: $($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = include_str!(concat!("../../../../sql/", $folder, "/queries/", $file, ".sql"));)*
    };
}

queries! {
    "shared":
    /// 1 once the schema exists.
    HAS_MIGRATIONS = "has_migrations";
    /// Applied migrations in order.
    APPLIED_MIGRATIONS = "applied_migrations";
    /// Every request.
    ALL_ROWS = "all_rows";
    /// Every session's features.
    ALL_FEATURES = "all_features";
    /// Every score.
    ALL_SCORES = "all_scores";
    /// Everything imported.
    INPUTS = "inputs";
    /// Rows and sessions, in numbers.
    TOTALS = "totals";
    /// Requests by match kind.
    MATCH_COUNTS = "match_counts";
}

queries! {
    "duckdb":
    /// Tables of whomever.
    TABLES = "tables";
    /// Records one.
    RECORD_MIGRATION = "record_migration";
    /// Keys of stored requests in a time range.
    EXISTING_KEYS = "existing_keys";
    /// Keys of stored handshakes in a time range.
    EXISTING_TLS_KEYS = "existing_tls_keys";
    /// Stores the Arrow columns of requests.
    INSERT_REQUESTS = "insert_requests";
    /// Stores the Arrow columns of handshakes.
    INSERT_HANDSHAKES = "insert_handshakes";
    /// Time of the latest request, and their number.
    NEWEST_REQUEST = "newest_request";
    /// Time of the latest handshake without request, and their number.
    NEWEST_HANDSHAKE = "newest_handshake";
    /// Bounds the engine's memory and threads while rows stream in.
    IMPORT_MEMORY = "import_memory";
    /// Lifts these bounds.
    FREE_MEMORY = "free_memory";
    /// Sets the number of threads.
    SET_THREADS = "set_threads";
    /// Makes the engine read its catalogue.
    PROBE = "probe";
    /// Folds the log into the file.
    CHECKPOINT = "checkpoint";
    /// Removes an input's record.
    FORGET_INPUT = "forget_input";
    /// Records an input.
    RECORD_INPUT = "record_input";
    /// Removes a run's record.
    FORGET_RUN = "forget_run";
    /// Records a run.
    RECORD_RUN = "record_run";
    /// Stores the Arrow columns of scores.
    INSERT_SCORES = "insert_scores";
    /// Removes scores of a window range.
    FORGET_SCORES = "forget_scores";
    /// Removes anomalies of a window range.
    FORGET_ANOMALIES = "forget_anomalies";
    /// Removes rows of a table by one value of a column.
    FORGET_BY_COLUMN = "forget_by_column";
    /// Copies anomalous scores.
    KEEP_ANOMALIES = "keep_anomalies";
    /// Rows of a Parquet file.
    READ_PARQUET = "read_parquet";
    /// Rows of a JSON Lines file.
    READ_JSONL = "read_jsonl";
    /// What a database holds.
    INFO = "info";
}
