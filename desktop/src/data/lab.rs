//! Answers of the lab as tables: spans compared, rules tried, versions of models, two of them side by side, packets of a connection.
//!
//! Promises: what is shown is what the commands `compare`, `rules test`, `model list`, `model diff` and `packets` print.
//!
//! Read next: `worker.rs` (who asks), `ja4_lab`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ja4_lab::compare::{self, ASPECTS, Direction, Side, Span};
use ja4_lab::packets::{ConnectionPacket, hex, of_connection};
use ja4_lab::registry::{self, Registry};
use ja4_lab::rules;
use ja4_replay::store::Store;

use super::table::{Column, Table};

/// Weights of this and more challenge, as `ja4-lab rules test` has it.
const CHALLENGE_AT: i64 = 10;

/// Sessions of a comparison.
const CHANGED: usize = 1_000;

/// Packets of a connection that are shown.
const PACKETS: usize = 500;

/// How far from a request its connection is looked for.
const AROUND_NS: i64 = 3_600_000_000_000;

fn texts<T: AsRef<str>>(values: impl Iterator<Item = T>) -> Column {
    Column::Text(values.collect())
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn place(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// One row a value that differs between two spans, strongest evidence first; `aspect` is one by name, or empty for all.
///
/// # Errors
/// A span without requests, or the engine's refusal.
pub fn compare(store: &dyn Store, then: Span, now: Span, aspect: &str) -> Result<Table, String> {
    let aspects: Vec<_> = ASPECTS.iter().copied().filter(|one| aspect.is_empty() || one.name == aspect).collect();
    let found =
        compare::run(Side { store, span: then }, Side { store, span: now }, &aspects).map_err(|error| error.to_string())?;
    let differ: Vec<_> = found.changes.iter().filter(|change| change.direction != Direction::Same).collect();
    let rows = compare::table(&differ).map_err(|error| error.to_string())?;
    Ok(Table::from_batches(&[rows]))
}

/// One row a rule.
///
/// # Errors
/// The engine's refusal, or a rule that cannot be used.
pub fn rules_tested(store: &dyn Store) -> Result<Table, String> {
    let known = rules::load(store).map_err(|error| error.to_string())?;
    if known.is_empty() {
        return Ok(Table::default());
    }
    let tested = rules::sessions(store, &known, i64::MIN / 2, i64::MAX / 2, CHALLENGE_AT).map_err(|error| error.to_string())?;
    let rows = &tested.rules;
    Ok(Table::new(
        rows.len(),
        vec![
            ("name", texts(rows.iter().map(|row| row.name.as_str()))),
            ("action", texts(rows.iter().map(|row| row.action.as_str()))),
            ("sessions", Column::Int(rows.iter().map(|row| count(row.sessions)).collect())),
            ("requests", Column::Int(rows.iter().map(|row| count(row.requests)).collect())),
        ],
    ))
}

/// One row a version, oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn registry(db: &Path) -> Result<Table, String> {
    let registry = Registry::beside(db);
    let (versions, _) = registry.list().map_err(|error| error.to_string())?;
    let current = registry.current().map(|current| current.current).unwrap_or_default();
    let data =
        |f: fn(&registry::DataWindow) -> u64| Column::Int(versions.iter().map(|version| count(f(&version.data))).collect());
    Ok(Table::new(
        versions.len(),
        vec![
            ("version", texts(versions.iter().map(|version| version.id.as_str()))),
            ("name", texts(versions.iter().map(|version| version.name.as_str()))),
            ("state", texts(versions.iter().map(|version| if version.id == current { "in use" } else { "kept" }))),
            ("created_ns", Column::Int(versions.iter().map(|version| version.created_ns).collect())),
            ("sessions", data(|data| data.sessions)),
            ("baseline", data(|data| data.baseline)),
            ("seed", Column::Int(versions.iter().map(|version| count(version.seed)).collect())),
            ("settings", texts(versions.iter().map(|version| version.settings.to_string()))),
            ("note", texts(versions.iter().map(|version| version.note.as_str()))),
        ],
    ))
}

/// One row a session whose rank changed, the largest change first.
///
/// # Errors
/// A version that is not there or of other features, or the engine's refusal.
pub fn model_diff(store: &dyn Store, db: &Path, versions: [&String; 2]) -> Result<Table, String> {
    let registry = Registry::beside(db);
    let [first, second] = versions.map(|id| registry.checked_folder(id).map_err(|error| error.to_string()));
    let (first, second) = (first?, second?);
    let (_, rows) = registry::diff(store, [&first, &second], CHANGED).map_err(|error| error.to_string())?;
    let int = |f: &dyn Fn(&registry::RankChange) -> i64| Column::Int(rows.iter().map(f).collect());
    let float = |f: fn(&registry::RankChange) -> f64| Column::Float(rows.iter().map(f).collect());
    Ok(Table::new(
        rows.len(),
        vec![
            ("src_ip", texts(rows.iter().map(|row| row.src_ip.as_str()))),
            ("host", texts(rows.iter().map(|row| row.host.as_str()))),
            ("rank_first", int(&|row| place(row.rank.0))),
            ("rank_second", int(&|row| place(row.rank.1))),
            ("score_first", float(|row| row.score.0)),
            ("score_second", float(|row| row.score.1)),
            ("anomalous_first", int(&|row| i64::from(row.anomalous.0))),
            ("anomalous_second", int(&|row| i64::from(row.anomalous.1))),
            ("feature", texts(rows.iter().map(|row| row.feature.as_str()))),
            ("changed_by", float(|row| row.by)),
            ("value", float(|row| row.value)),
            ("session_id", texts(rows.iter().map(|row| row.session_id.as_str()))),
        ],
    ))
}

/// One row a packet, with its headers line by line and its bytes.
///
/// # Errors
/// A client that is no address and port, or a capture that cannot be opened.
pub fn packets(captures: &[PathBuf], client: &str, at_ns: i64) -> Result<Table, String> {
    let client: SocketAddr = client.parse().map_err(|_| format!("packets: {client:?} is no address and port"))?;
    let span = (at_ns.saturating_sub(AROUND_NS), at_ns.saturating_add(AROUND_NS));
    let found = of_connection(captures, client, span, PACKETS).map_err(|error| error.to_string())?;
    let raw = |packet: &ConnectionPacket| packet.bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(Table::new(
        found.len(),
        vec![
            ("ts_ns", Column::Int(found.iter().map(|packet| packet.ts_ns).collect())),
            ("from", texts(found.iter().map(|packet| if packet.from_client { "client" } else { "server" }))),
            ("payload_bytes", Column::Int(found.iter().map(|packet| place(packet.payload_bytes)).collect())),
            ("summary", texts(found.iter().map(|packet| packet.tree.get(2..).unwrap_or_default().join("; ")))),
            ("tree", texts(found.iter().map(|packet| packet.tree.join("\n")))),
            ("hex", texts(found.iter().map(|packet| hex(&packet.bytes)))),
            ("raw", texts(found.iter().map(raw))),
            ("link_type", Column::Int(found.iter().map(|packet| i64::from(packet.link_type)).collect())),
            ("orig_len", Column::Int(found.iter().map(|packet| i64::from(packet.orig_len)).collect())),
        ],
    ))
}

/// The packets of [`packets`] again, for a file.
#[must_use]
pub fn from_table(table: &Table) -> Vec<ConnectionPacket> {
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|text| u8::from_str_radix(text, 16).ok()).unwrap_or(0);
    let packet = |row: usize| ConnectionPacket {
        ts_ns: table.int(row, "ts_ns"),
        from_client: table.text(row, "from") == "client",
        tree: Vec::new(),
        payload_bytes: 0,
        link_type: u32::try_from(table.int(row, "link_type")).unwrap_or(1),
        orig_len: u32::try_from(table.int(row, "orig_len")).unwrap_or(0),
        bytes: table.text(row, "raw").as_bytes().chunks(2).map(byte).collect(),
    };
    (0..table.rows()).map(packet).collect()
}
