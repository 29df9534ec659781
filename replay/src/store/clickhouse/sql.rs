//! Every statement this program runs on ClickHouse, embedded from `sql/`: no SQL is written inside Rust.
//!
//! Promises: the texts are constants; only names of ours are put in marked places; values go beside the statement.
//!
//! Read next: `sql/README.md`, `migrate.rs`.

use duckdb::arrow::array::RecordBatch;

use crate::store::TableName;
pub use crate::store::duckdb::sql::{HTTP_LOGS, ML_ALL_SCORES, Migration, TLS_ONLY};
pub(super) use crate::store::statements;

/// Anomalous scores, kept longer.
pub const ML_DETECTED_ANOMALIES: TableName = TableName { schema: "ja4_processing", table: "ml_detected_anomalies" };
/// What was imported.
pub const INPUTS_TABLE: TableName = TableName { schema: "ja4_processing", table: "inputs" };
/// What was run.
pub const RUNS_TABLE: TableName = TableName { schema: "ja4_processing", table: "runs" };

/// All schema changes, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "init", text: include_str!("../../../../sql/clickhouse/0001_init.sql") },
    Migration { version: 2, name: "aggregates", text: include_str!("../../../../sql/clickhouse/0002_aggregates.sql") },
    Migration { version: 3, name: "intake", text: include_str!("../../../../sql/clickhouse/0003_intake.sql") },
    Migration { version: 5, name: "operation", text: include_str!("../../../../sql/clickhouse/0005_operation.sql") },
    Migration { version: 6, name: "service", text: include_str!("../../../../sql/clickhouse/0006_service.sql") },
    Migration { version: 14, name: "throughput", text: include_str!("../../../../sql/clickhouse/0014_throughput.sql") },
    Migration { version: 17, name: "judges", text: include_str!("../../../../sql/clickhouse/0017_judges.sql") },
];

/// Functions and views, applied after the migrations each time, in this order.
pub const VIEWS: &[&str] = &[
    include_str!("../../../../sql/clickhouse/prelude.sql"),
    include_str!("../../../../sql/clickhouse/base.sql"),
    include_str!("../../../../sql/shared/view_ai_features_1h.sql"),
    include_str!("../../../../sql/shared/view_thesis_features_1h.sql"),
    include_str!("../../../../sql/shared/view_resource_cascade_1h.sql"),
    include_str!("../../../../sql/shared/view_form_bruteforce_detected.sql"),
    include_str!("../../../../sql/shared/view_host_ip_ja4_rotation.sql"),
    include_str!("../../../../sql/shared/view_dashboard_entities.sql"),
    include_str!("../../../../sql/shared/view_dashboard_user_agents.sql"),
    include_str!("../../../../sql/clickhouse/bounded.sql"),
];

/// What takes the place of the feature view and its bounded form in a cluster.
pub const SHARDED: &str = include_str!("../../../../sql/clickhouse/sharded.sql");

/// The newest schema this program knows.
#[must_use]
pub fn latest_version() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = include_str!(concat!("../../../../sql/", $file, ".sql"));)*
    };
}

queries! {
    /// The server's version.
    VERSION = "clickhouse/queries/version";
    /// 1 once the schema exists.
    HAS_MIGRATIONS = "shared/queries/has_migrations";
    /// Applied migrations in order.
    APPLIED_MIGRATIONS = "shared/queries/applied_migrations";
    /// Hash of the views as they were made last.
    MADE_VIEWS = "clickhouse/queries/made_views";
    /// Records one.
    RECORD_MIGRATION = "clickhouse/queries/record_migration";
    /// Keys of stored requests in a time range.
    EXISTING_KEYS = "clickhouse/queries/existing_keys";
    /// Keys of stored handshakes in a time range.
    EXISTING_TLS_KEYS = "clickhouse/queries/existing_tls_keys";
    /// Every request.
    ALL_ROWS = "shared/queries/all_rows";
    /// Every session's features.
    ALL_FEATURES = "shared/queries/all_features";
    /// Every score.
    ALL_SCORES = "shared/queries/all_scores";
    /// Everything imported.
    INPUTS = "shared/queries/inputs";
    /// Sends a block to a table.
    INSERT = "clickhouse/queries/insert";
    /// An empty table like another.
    STAGE = "clickhouse/queries/stage";
    /// Links one partition of a table into its staging table.
    STAGE_PARTITION = "clickhouse/queries/stage_partition";
    /// Links a table without partitions into its staging table.
    STAGE_ALL = "clickhouse/queries/stage_all";
    /// Removes rows of the staging table by values of one column.
    FORGET_BY_COLUMN = "clickhouse/queries/forget_by_column";
    /// Removes an input's record from the staging table.
    FORGET_INPUT = "clickhouse/queries/forget_input";
    /// Removes windows from the staging table.
    FORGET_WINDOWS = "clickhouse/queries/forget_windows";
    /// Puts the staging table in the place of the table, at once.
    EXCHANGE = "clickhouse/queries/exchange";
    /// Puts one partition of the staging table in the place of the table's, at once.
    REPLACE_PARTITION = "clickhouse/queries/replace_partition";
    /// Removes one partition, at once.
    DROP_PARTITION = "clickhouse/queries/drop_partition";
    /// The Distributed table in front of a local one.
    DISTRIBUTED = "clickhouse/queries/distributed";
    /// Removes the staging table.
    UNSTAGE = "clickhouse/queries/unstage";
    /// Days of a score table, as partition numbers.
    SCORE_DAYS = "clickhouse/queries/score_days";
    /// Days of the staging table of a score table.
    STAGED_DAYS = "clickhouse/queries/staged_days";
}

/// `schema.table`.
pub(super) fn name(table: TableName) -> String {
    format!("{}.{}", table.schema, table.table)
}

/// The table in which new contents of `table` are built.
pub(super) fn staging(table: TableName) -> String {
    format!("{}.{}_staging", table.schema, table.table)
}

/// A statement with the name of a table of ours, and of its staging table, in the marked places.
pub(super) fn of_table(text: &'static str, table: TableName) -> String {
    statement(text).replace("/*table*/", &name(table)).replace("/*staging*/", &staging(table))
}

/// The insert of `batches`, all of one schema, into the table called `name`; columns by name.
pub(super) fn insert(name: &str, batches: &[RecordBatch]) -> String {
    let schema = batches.first().map(RecordBatch::schema);
    let columns: Vec<&str> = schema.iter().flat_map(|schema| schema.fields()).map(|field| field.name().as_str()).collect();
    statement(INSERT).replace("/*table*/", name).replace("/*columns*/", &columns.join(", "))
}

/// A file's text without its comment lines and the last `;`: one statement as a request takes it.
pub(crate) fn statement(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    lines.join("\n").trim().trim_end_matches(';').to_owned()
}

/// `?` outside quotes as `{p0:String}`, `{p1:String}`, …: how this engine takes values beside a statement.
pub(super) fn numbered(text: &str) -> String {
    let text = statement(text);
    let mut out = String::with_capacity(text.len().saturating_add(64));
    let (mut quote, mut number) = (None, 0_usize);
    for c in text.chars() {
        match (quote, c) {
            (None, '?') => {
                out.push_str(&format!("{{p{number}:String}}"));
                number = number.saturating_add(1);
                continue;
            }
            (None, '\'' | '"' | '`') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_outside_quotes_and_comments() {
        let text = "-- what?\nSELECT '?' AS a, \"?\" AS b FROM t\nWHERE x = CAST(? AS BIGINT) AND y = ?;\n";
        assert_eq!(
            numbered(text),
            "SELECT '?' AS a, \"?\" AS b FROM t\nWHERE x = CAST({p0:String} AS BIGINT) AND y = {p1:String}"
        );
    }

    #[test]
    fn files_are_split_where_a_line_ends_with_a_semicolon() {
        let text = "-- one;\nCREATE TABLE a (\n  -- not this;\n  b Int64\n);\n\nDROP TABLE c;\n";
        assert_eq!(statements(text), ["CREATE TABLE a (\n  b Int64\n)", "DROP TABLE c"]);
        assert!(MIGRATIONS.iter().all(|migration| !statements(migration.text).is_empty()));
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/clickhouse");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.filter(|name| name.starts_with('0') && !name.contains("undo")).collect();
        files.sort();
        let names = MIGRATIONS.iter().map(|migration| format!("{:04}_{}.sql", migration.version, migration.name));
        assert_eq!(files, names.collect::<Vec<_>>(), "every file of sql/clickhouse/ must be a migration of the program");
        assert!(MIGRATIONS.windows(2).all(|pair| pair[0].version < pair[1].version));
    }
}
