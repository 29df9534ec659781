//! A ClickHouse server behind the trait `Store`, for sites that outgrow one machine: the same views, the same digests.
//!
//! Promises: appending is idempotent by row key, also after an answer that was lost on the way; what is typed is read with
//! `readonly = 1`; a statement never holds a value, values go beside it; every call ends within the address's timeout.
//!
//! Read next: `address.rs`, `wire.rs` (the connection), `append.rs`, `tables.rs`, `migrate.rs`, `sql/README.md`.

pub mod address;
mod append;
mod arrow;
pub mod cluster;
mod migrate;
mod rows;
pub mod sql;
mod tables;
mod wire;

use std::path::Path;
use std::sync::Arc;

use ::duckdb::arrow::array::RecordBatch;

use self::address::Address;
use self::wire::{Call, Wire};
use super::{Appended, Contents, Engine, InputRecord, Interrupt, OpenOptions, RunRecord, Statement, Store, TableName, read_only};
use crate::ReplayError;
use crate::digest::TableDigest;
use crate::store::chunk::Chunk;

/// A connection to a ClickHouse server.
pub struct ClickHouse {
    wire: Wire,
    cluster: String,
    /// Whether the server's tables are spread over a cluster.
    spread: bool,
    now_ns: i64,
}

impl std::fmt::Debug for ClickHouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClickHouse").field("label", &self.wire.label()).finish_non_exhaustive()
    }
}

impl ClickHouse {
    /// Connects to the server that `db` names. With `read_only` its schema must exist and not be newer than this program.
    ///
    /// # Errors
    /// An address that makes no sense, a server that cannot be reached or refuses the user, or no schema.
    pub fn open(db: &Path, options: &OpenOptions) -> Result<Self, ReplayError> {
        let address = Address::parse(db)?;
        let wire = Wire::new(&address)?;
        let known = wire.batches(Call::new("open", sql::statement(sql::VERSION)))?;
        let [made, spread] = [1, 2].map(|column| rows::int(&known, column, 0).unwrap_or_default() > 0);
        let store = Self { wire, cluster: address.cluster, spread, now_ns: options.now_ns };
        if let Some(detail) = other_form(made, spread, !store.cluster.is_empty(), options.read_only) {
            return Err(ReplayError::Engine { operation: "open", path: store.label().into(), detail: detail.to_owned() });
        }
        if options.read_only && migrate::refuse_newer(&store)?.is_empty() {
            return Err(ReplayError::Engine {
                operation: "open",
                path: store.label().into(),
                detail: format!(
                    "this server holds no tables of ours; make them with `ja4-lab db migrate --db {}`",
                    store.wire.label()
                ),
            });
        }
        Ok(store)
    }

    /// A statement that changes tables, for one server or for every node of the cluster.
    fn on_cluster(&self, statement: &str) -> String {
        if self.cluster.is_empty() { statement.to_owned() } else { cluster::everywhere(&self.cluster, statement) }
    }
}

/// What is wrong with an address that names a cluster where tables are one server's, or none where they are a cluster's: statements of
/// the one form would change a part of the other.
fn other_form(made: bool, spread: bool, named: bool, read_only: bool) -> Option<&'static str> {
    match (made, spread, named) {
        (_, true, false) if !read_only => {
            Some("its tables are spread over a cluster: name it in the address, /?cluster=NAME (system.clusters lists them)")
        }
        (true, false, true) => Some(
            "its tables are those of one server: leave out cluster=, or make the cluster's on empty servers and bring the data there with `ja4-lab db copy`",
        ),
        _ => None,
    }
}

impl Store for ClickHouse {
    fn engine(&self) -> Engine {
        Engine::ClickHouse
    }

    fn label(&self) -> String {
        self.wire.label().to_owned()
    }

    fn sibling(&self) -> Result<Box<dyn Store>, ReplayError> {
        let (wire, cluster) = (self.wire.sibling(), self.cluster.clone());
        Ok(Box::new(Self { wire, cluster, spread: self.spread, now_ns: self.now_ns }))
    }

    fn interrupter(&self) -> Arc<dyn Interrupt> {
        self.wire.interrupter()
    }

    fn migrate(&mut self) -> Result<usize, ReplayError> {
        let applied = migrate::migrate(self)?;
        self.spread = !self.cluster.is_empty();
        Ok(applied)
    }

    fn append_chunks(&mut self, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
        append::append(self, chunks)
    }

    fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, ReplayError> {
        read_only::check(sql)?;
        let text = sql.trim_end().trim_end_matches(';');
        self.wire.batches(Call::new("query", text).reading())
    }

    fn ask(&self, statement: &Statement<'_>, values: &[&str]) -> Result<Vec<RecordBatch>, ReplayError> {
        let call = Call::new("query", sql::numbered(statement.clickhouse)).texts(values);
        // A view that asks every shard itself is refused where nothing but stored tables may be read, as typed statements are.
        self.wire.batches(if self.spread { call.reading_spread() } else { call.reading() })
    }

    fn change(&self, statements: &Statement<'_>, values: &[&str]) -> Result<(), ReplayError> {
        for statement in sql::statements(statements.clickhouse) {
            let made = if self.cluster.is_empty() { vec![statement] } else { cluster::on(&self.cluster, &statement) };
            made.iter().try_for_each(|one| self.wire.run(Call::new("change data", sql::numbered(one)).texts(values)))?;
        }
        Ok(())
    }

    fn insert(&self, table: TableName, batch: RecordBatch) -> Result<(), ReplayError> {
        tables::insert(self, table, &batch)
    }

    fn replace(
        &self,
        table: TableName,
        column: &'static str,
        values: &[&str],
        batch: Option<RecordBatch>,
    ) -> Result<(), ReplayError> {
        tables::replace_by_column(self, table, column, values, batch.as_ref())
    }

    fn replace_scores(&self, first_ms: i64, last_ms: i64, batches: Vec<RecordBatch>) -> Result<(), ReplayError> {
        tables::replace_scores(self, first_ms, last_ms, &batches)
    }

    fn inputs(&self) -> Result<Vec<InputRecord>, ReplayError> {
        tables::read_inputs(self)
    }

    fn record_inputs(&self, inputs: &[InputRecord]) -> Result<(), ReplayError> {
        tables::write_inputs(self, inputs)
    }

    fn record_run(&self, run: &RunRecord) -> Result<(), ReplayError> {
        tables::write_run(self, run)
    }

    fn digest(&self, contents: Contents) -> Result<String, ReplayError> {
        let (text, key_columns) = match contents {
            Contents::Rows => (sql::ALL_ROWS, 2),
            Contents::Features => (sql::ALL_FEATURES, 4),
            Contents::Scores => (sql::ALL_SCORES, 4),
        };
        let call = Call::new("digest", sql::statement(text)).reading();
        let digest = self.wire.fetch(call, (TableDigest::new(), key_columns), |(digest, key_columns), batch| {
            digest.add(&batch, *key_columns).map_err(|error| error.to_string())
        })?;
        Ok(digest.0.finish())
    }

    fn checkpoint(&self) -> Result<(), ReplayError> {
        // An answered insert is on the server's disk already.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::other_form;

    #[test]
    fn tables_of_the_other_form_are_not_written_to() {
        assert!(other_form(true, true, false, false).unwrap().contains("?cluster="));
        assert!(other_form(true, false, true, true).unwrap().contains("db copy"));
        // Read through any node; an empty server becomes either.
        for (made, spread, named, read_only) in [
            (true, true, false, true),
            (true, true, true, false),
            (true, false, false, false),
            (false, false, true, false),
            (false, false, false, true),
        ] {
            assert_eq!(other_form(made, spread, named, read_only), None);
        }
    }
}
