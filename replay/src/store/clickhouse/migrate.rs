//! Bringing a server to the schema of `sql/clickhouse/`: numbered, checksummed, applied once, each statement on its own.
//!
//! Promises: every statement may be repeated, so a migration that was interrupted continues when it is run again; functions and
//! views follow the program and are made anew when their text changed; a newer or changed schema is refused.
//!
//! Read next: `sql.rs`, `cluster.rs`, `docs/MIGRATIONS.md`.

use duckdb::arrow::array::RecordBatch;
use sha2::{Digest as _, Sha256};

use super::wire::Call;
use super::{ClickHouse, cluster, rows, sql};
use crate::ReplayError;
use crate::digest::hex;

pub(super) fn migrate(store: &ClickHouse) -> Result<usize, ReplayError> {
    let applied = refuse_newer(store)?;
    let mut count = 0;
    for migration in sql::MIGRATIONS {
        let sha256 = hex(&Sha256::digest(migration.text));
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, known)) if *known == sha256 => continue,
            Some(_) => return Err(ReplayError::ChangedMigration { path: store.wire.label().into(), version: migration.version }),
            None => {}
        }
        for statement in sql::statements(migration.text) {
            run(store, "migrate", &statement)?;
        }
        let values = [&migration.version.to_string(), migration.name, &sha256, &store.now_ns.to_string()];
        store.wire.run(Call::new("migrate", sql::numbered(sql::RECORD_MIGRATION)).texts(&values))?;
        count += 1;
    }
    views(store, count > 0)?;
    Ok(count)
}

/// Functions and views follow the program. They are made anew when their text changed, so that a user without the right to make
/// them may write rows once an administrator ran the migration.
fn views(store: &ClickHouse, changed: bool) -> Result<(), ReplayError> {
    let mut hash = Sha256::new();
    sql::VIEWS.iter().for_each(|text| hash.update(text));
    if !store.cluster.is_empty() {
        hash.update(sql::SHARDED);
    }
    let sha256 = hex(&hash.finalize());
    let made = store.wire.batches(Call::new("read schema version", sql::statement(sql::MADE_VIEWS)))?;
    if !changed && rows::text(&made, 0, 0).is_some_and(|known| known == sha256) {
        return Ok(());
    }
    for statement in sql::VIEWS.iter().flat_map(|text| sql::statements(text)) {
        run(store, "create views", &statement)?;
    }
    let values = ["0", "views", sha256.as_str(), &store.now_ns.to_string()];
    store.wire.run(Call::new("create views", sql::numbered(sql::RECORD_MIGRATION)).texts(&values))
}

/// The schema must be there and not newer than this program.
pub(super) fn refuse_newer(store: &ClickHouse) -> Result<Vec<(i64, String)>, ReplayError> {
    let applied = applied(store)?;
    match applied.last() {
        Some((version, _)) if *version > sql::latest_version() => Err(ReplayError::Newer {
            path: store.wire.label().into(),
            detail: format!("schema version {version}, this program knows {}", sql::latest_version()),
        }),
        _ => Ok(applied),
    }
}

/// Migrations on the server: (version, SHA-256 of its text).
fn applied(store: &ClickHouse) -> Result<Vec<(i64, String)>, ReplayError> {
    let ask = |text| store.wire.batches(Call::new("read schema version", sql::statement(text)));
    let known = ask(sql::HAS_MIGRATIONS)?;
    if rows::int(&known, 0, 0).unwrap_or_default() == 0 {
        return Ok(Vec::new());
    }
    let batches = ask(sql::APPLIED_MIGRATIONS)?;
    let rows = batches.iter().flat_map(|batch: &RecordBatch| (0..batch.num_rows()).map(move |row| (batch, row)));
    Ok(rows
        .map(|(batch, row)| {
            let one = std::slice::from_ref(batch);
            (rows::int(one, 0, row).unwrap_or_default(), rows::text(one, 1, row).unwrap_or_default())
        })
        .collect())
}

fn run(store: &ClickHouse, operation: &'static str, statement: &str) -> Result<(), ReplayError> {
    if store.cluster.is_empty() {
        return store.wire.run(Call::new(operation, statement));
    }
    cluster::on(&store.cluster, statement).into_iter().try_for_each(|statement| store.wire.run(Call::new(operation, statement)))
}
