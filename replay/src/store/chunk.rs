//! Rows on their way to a store: Arrow columns, the keys that make storing idempotent, and the hashes that make the digest.
//!
//! Promises: columns come in the order and with the types of the table; no value is changed; a row is walked once, for its columns and
//! its hash together, and is not needed afterwards.
//!
//! Read next: `duckdb/append.rs` (who stores them), `../digest.rs` (what the hashes are of).

use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, AsArray as _, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::buffer::OffsetBuffer;
use duckdb::arrow::compute::filter_record_batch;
use duckdb::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use duckdb::arrow::error::ArrowError;
use ja4_join::row::{COLUMNS, ColumnKind, ColumnVisitor, HttpLogRow, Text};
use sha2::{Digest as _, Sha256};

use super::TlsOnlyRow;
use crate::ReplayError;
use crate::digest::{canonical_float, canonical_text};

/// Rows in a chunk.
pub const CHUNK_ROWS: usize = 4096;

/// Room set aside for each text of a chunk.
const TEXT_BYTES: usize = 16;

/// Chunks that one transaction should take: together a row group of DuckDB (122,880 rows). A transaction of whole row groups goes
/// into the database file at once; any other goes through the write-ahead log first and costs more than twice the processor time.
pub const CHUNKS_PER_TRANSACTION: usize = 30;

/// The same in rows.
pub const TRANSACTION_ROWS: usize = CHUNK_ROWS * CHUNKS_PER_TRANSACTION;

/// Key of a row: upper and lower half of its content hash.
pub type Key = (i64, i64);

/// Which table a chunk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkTable {
    /// `ja4_logs.http_logs`.
    Requests,
    /// `ja4_logs.tls_only`.
    Handshakes,
}

/// Some rows of one table.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Which table.
    pub table: ChunkTable,
    /// Its columns, in the table's order.
    pub columns: RecordBatch,
    /// One key a row.
    pub keys: Vec<Key>,
    /// One hash a row, as [`crate::digest::TableDigest`] makes it; none for handshakes, which no digest covers, and for columns that come
    /// as such: a digest of what they become is read from the store.
    pub hashes: Vec<[u8; 32]>,
    /// No row is earlier, ns since 1970.
    pub first_ns: i64,
    /// No row is later, ns since 1970.
    pub last_ns: i64,
}

impl Chunk {
    /// Requests as a chunk.
    ///
    /// # Errors
    /// None that rows can cause; Arrow's own refusal is passed on.
    pub fn of_requests(rows: &[HttpLogRow]) -> Result<Self, ArrowError> {
        let mut made = RequestChunk::with_room(rows.len());
        rows.iter().for_each(|row| made.add(row));
        made.finish()
    }

    /// Handshakes without a request as a chunk.
    ///
    /// # Errors
    /// None that rows can cause; Arrow's own refusal is passed on.
    pub fn of_handshakes(rows: &[TlsOnlyRow]) -> Result<Self, ArrowError> {
        let text = |index: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.texts.get(index).map_or("", |text| &**text))))
        };
        let int = |index: usize| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.ints.get(index).copied().unwrap_or(-1))))
        };
        let own = |value: fn(&TlsOnlyRow) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(rows.iter().map(value))) };
        let columns: [(&str, ArrayRef); 21] = [
            ("ts_ns", own(|row| row.ts_ns)),
            ("src_ip", text(0)),
            ("src_port", int(0)),
            ("dst_ip", text(1)),
            ("dst_port", int(1)),
            ("protocol", text(2)),
            ("sni", text(3)),
            ("alpn", text(4)),
            ("tls_version", int(2)),
            ("ja3", text(5)),
            ("ja4", text(6)),
            ("ja4_r", text(7)),
            ("ja4s", text(8)),
            ("ja4t", text(9)),
            ("ip_ttl", int(3)),
            ("tcp_window", int(4)),
            ("tcp_mss", int(5)),
            ("tcp_wscale", int(6)),
            ("tcp_options", text(10)),
            ("key_hi", own(|row| row.key.0)),
            ("key_lo", own(|row| row.key.1)),
        ];
        Ok(Self {
            table: ChunkTable::Handshakes,
            columns: RecordBatch::try_from_iter(columns)?,
            keys: rows.iter().map(|row| row.key).collect(),
            hashes: Vec::new(),
            first_ns: rows.iter().map(|row| row.ts_ns).min().unwrap_or(i64::MAX),
            last_ns: rows.iter().map(|row| row.ts_ns).max().unwrap_or(i64::MIN),
        })
    }

    /// Columns that a store or a file gave, in the table's order and types, as a chunk.
    ///
    /// # Errors
    /// Columns that are not those of the table.
    pub fn of_columns(table: ChunkTable, columns: RecordBatch) -> Result<Self, ReplayError> {
        let refuse = |what: &str| ReplayError::Columns(format!("{what} is missing or has another type"));
        let ints = |name: &str| columns.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>().cloned());
        let (hi, lo) = match table {
            ChunkTable::Requests => ("row_hi", "row_lo"),
            ChunkTable::Handshakes => ("key_hi", "key_lo"),
        };
        let (hi, lo) = (ints(hi).ok_or_else(|| refuse(hi))?, ints(lo).ok_or_else(|| refuse(lo))?);
        let times = ints("ts_ns").ok_or_else(|| refuse("ts_ns"))?;
        let columns = match table {
            ChunkTable::Requests => RecordBatch::try_new(Arc::new(request_schema()), columns.columns().to_vec())
                .map_err(|error| ReplayError::columns(&error))?,
            ChunkTable::Handshakes => columns,
        };
        Ok(Self {
            table,
            keys: hi.values().iter().copied().zip(lo.values().iter().copied()).collect(),
            hashes: Vec::new(),
            first_ns: times.values().iter().copied().min().unwrap_or(i64::MAX),
            last_ns: times.values().iter().copied().max().unwrap_or(i64::MIN),
            columns,
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.keys.len()
    }

    /// The first `rows` rows, and the others if there are more. Nothing is copied but keys and hashes.
    #[must_use]
    pub fn split(mut self, rows: usize) -> (Self, Option<Self>) {
        let more = self.rows().saturating_sub(rows);
        if more == 0 {
            return (self, None);
        }
        let rest = Self {
            table: self.table,
            columns: self.columns.slice(rows, more),
            keys: self.keys.split_off(rows),
            hashes: self.hashes.split_off(self.hashes.len().min(rows)),
            first_ns: self.first_ns,
            last_ns: self.last_ns,
        };
        self.columns = self.columns.slice(0, rows);
        (self, Some(rest))
    }

    /// Only the rows for which `keep` holds; it is asked once a row, in order.
    ///
    /// # Errors
    /// Arrow's refusal.
    pub fn filter(mut self, mut keep: impl FnMut(Key) -> bool) -> Result<Self, ArrowError> {
        let flags: Vec<bool> = self.keys.iter().map(|key| keep(*key)).collect();
        if flags.iter().all(|flag| *flag) {
            return Ok(self);
        }
        let mut kept = flags.iter();
        self.keys.retain(|_| kept.next().copied().unwrap_or(false));
        let mut kept = flags.iter();
        self.hashes.retain(|_| kept.next().copied().unwrap_or(false));
        self.columns = filter_record_batch(&self.columns, &BooleanArray::from(flags))?;
        Ok(self)
    }
}

/// A chunk of requests in the making, for rows that come a few at a time: in columns they take less than half the memory.
pub struct RequestChunk {
    columns: Rows,
    keys: Vec<Key>,
    hashes: Vec<[u8; 32]>,
    first_ns: i64,
    last_ns: i64,
}

impl RequestChunk {
    /// An empty one, with room for so many rows.
    #[must_use]
    pub fn with_room(rows: usize) -> Self {
        let (keys, hashes) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        Self { columns: Rows::new(rows), keys, hashes, first_ns: i64::MAX, last_ns: i64::MIN }
    }

    /// Adds a row, which is not needed afterwards.
    pub fn add(&mut self, row: &HttpLogRow) {
        self.hashes.push(self.columns.add(row));
        self.keys.push((row.row_hi, row.row_lo));
        self.first_ns = self.first_ns.min(row.ts_ns);
        self.last_ns = self.last_ns.max(row.ts_ns);
    }

    /// Rows added so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.keys.len()
    }

    /// The chunk.
    ///
    /// # Errors
    /// None that rows can cause; Arrow's own refusal is passed on.
    pub fn finish(self) -> Result<Chunk, ArrowError> {
        let Self { columns, keys, hashes, first_ns, last_ns } = self;
        Ok(Chunk { table: ChunkTable::Requests, columns: columns.finish()?, keys, hashes, first_ns, last_ns })
    }
}

/// The Arrow schema of `ja4_logs.http_logs`.
#[must_use]
pub fn request_schema() -> Schema {
    Schema::new(
        COLUMNS
            .iter()
            .map(|column| {
                let kind = match column.kind {
                    ColumnKind::Int => DataType::Int64,
                    ColumnKind::Float => DataType::Float64,
                    ColumnKind::Text => DataType::Utf8,
                };
                Field::new(column.name, kind, false)
            })
            .collect::<Vec<_>>(),
    )
}

/// Columns of rows in the making, and the canonical form of the row that is being shown: one walk over a row fills both.
struct Rows {
    ints: Vec<Vec<i64>>,
    floats: Vec<Vec<f64>>,
    texts: Vec<TextColumn>,
    /// Which column of its kind comes next.
    next: [usize; 3],
    /// What the row's hash is taken of.
    canonical: Vec<u8>,
}

/// Texts one after the other, and where each ends.
struct TextColumn {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Rows {
    fn new(rows: usize) -> Self {
        let of = |kind: ColumnKind| COLUMNS.iter().filter(move |column| column.kind == kind);
        let text = || {
            let mut ends = Vec::with_capacity(rows.saturating_add(1));
            ends.push(0);
            TextColumn { ends, bytes: Vec::with_capacity(rows.saturating_mul(TEXT_BYTES)) }
        };
        Self {
            ints: of(ColumnKind::Int).map(|_| Vec::with_capacity(rows)).collect(),
            floats: of(ColumnKind::Float).map(|_| Vec::with_capacity(rows)).collect(),
            texts: of(ColumnKind::Text).map(|_| text()).collect(),
            next: [0; 3],
            canonical: Vec::with_capacity(2048),
        }
    }

    /// Adds a row; gives its hash.
    fn add(&mut self, row: &HttpLogRow) -> [u8; 32] {
        self.next = [0; 3];
        self.canonical.clear();
        row.visit(self);
        Sha256::digest(&self.canonical).into()
    }

    /// The columns in the table's order.
    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let (mut ints, mut floats, mut texts) = (self.ints.into_iter(), self.floats.into_iter(), self.texts.into_iter());
        let columns = COLUMNS.iter().filter_map(|column| {
            Some(match column.kind {
                ColumnKind::Int => Ok::<ArrayRef, ArrowError>(Arc::new(Int64Array::from(ints.next()?))),
                ColumnKind::Float => Ok(Arc::new(Float64Array::from(floats.next()?)) as ArrayRef),
                ColumnKind::Text => texts.next()?.finish(),
            })
        });
        RecordBatch::try_new(Arc::new(request_schema()), columns.collect::<Result<_, _>>()?)
    }
}

impl TextColumn {
    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let ends = OffsetBuffer::new(self.ends.into());
        Ok(Arc::new(StringArray::try_new(ends, self.bytes.into(), None)?))
    }
}

impl ColumnVisitor for Rows {
    fn int(&mut self, value: i64) {
        let [next, ..] = &mut self.next;
        if let Some(column) = self.ints.get_mut(*next) {
            column.push(value);
        }
        *next += 1;
        self.canonical.extend_from_slice(&value.to_le_bytes());
    }

    fn float(&mut self, value: f64) {
        let [_, next, _] = &mut self.next;
        if let Some(column) = self.floats.get_mut(*next) {
            column.push(value);
        }
        *next += 1;
        self.canonical.extend_from_slice(&canonical_float(value));
    }

    fn text(&mut self, value: &Text) {
        let [.., next] = &mut self.next;
        if let Some(column) = self.texts.get_mut(*next) {
            column.bytes.extend_from_slice(value.as_bytes());
            // 4096 rows of at most a log record each stay far below 2 GiB.
            column.ends.push(i32::try_from(column.bytes.len()).unwrap_or(i32::MAX));
        }
        *next += 1;
        canonical_text(value, &mut self.canonical);
    }
}
