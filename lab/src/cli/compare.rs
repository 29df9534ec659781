//! `compare`: what is new, gone or changed between two databases, or two spans of one.
//!
//! Promises: databases are opened read-only; nothing that differs is left out unsaid; no difference comes with a sentence.
//!
//! Read next: `crate::compare`.

use duckdb::arrow::array::RecordBatch;

use super::args::RowFormat;
use super::args::compare::CompareArgs;
use super::console::Console;
use super::score::parse_span;
use crate::compare::{self, ALWAYS, ASPECTS, Change, Comparison, Direction, Side, Span, Totals};
use crate::error::LabError;
use crate::rows::Columns;
use crate::sessions;

pub fn run(args: &CompareArgs, console: &Console) -> Result<(), LabError> {
    let named = (args.reference.as_deref().map(span).transpose()?, args.now.as_deref().map(span).transpose()?);
    let store = sessions::open_confined(&args.db)?;
    let other = args.against.as_deref().filter(|path| *path != args.db).map(sessions::open_confined).transpose()?;
    let (then, now) = match named {
        (Some(then), Some(now)) => (then, now),
        _ if args.against.is_some() => (named.0.unwrap_or(ALWAYS), named.1.unwrap_or(ALWAYS)),
        _ => compare::newest(&*store).map(|(then, now)| (named.0.unwrap_or(then), named.1.unwrap_or(now)))?,
    };
    let aspects: Vec<_> = ASPECTS
        .iter()
        .copied()
        .filter(|aspect| args.kind.is_empty() || args.kind.iter().any(|name| name == aspect.name))
        .collect();
    let then = Side { store: other.as_deref().unwrap_or(&*store), span: then };
    let found = compare::run(then, Side { store: &*store, span: now }, &aspects)?;
    print(&found, args, console)
}

fn span(text: &str) -> Result<Span, LabError> {
    let (from_ms, to_ms) = parse_span(text)?;
    Ok((from_ms.saturating_mul(1_000_000), to_ms.saturating_mul(1_000_000)))
}

fn print(found: &Comparison, args: &CompareArgs, console: &Console) -> Result<(), LabError> {
    let differs = |change: &&Change| change.direction != Direction::Same;
    let mut listed: Vec<&Change> = found.changes.iter().filter(|change| args.all || differs(change)).collect();
    let most = if args.top == 0 { usize::MAX } else { args.top };
    let left_out = listed.len().saturating_sub(most);
    listed.truncate(most);
    if args.format == RowFormat::Table {
        console.rows(&[totals(found.then, found.now)?], RowFormat::Table)?;
        if !listed.is_empty() {
            console.line("")?;
            console.rows(&[for_people(&listed)?], RowFormat::Table)?;
        }
    } else {
        console.rows(&[compare::table(&listed)?], args.format)?;
    }
    found.notes.iter().for_each(|note| console.note(note));
    if !found.changes.iter().any(|change| differs(&change)) {
        let values = found.changes.len();
        console.note(&format!(
            "nothing differs: of {values} values none is new, none gone, and no share moved further than chance moves it"
        ));
    } else if left_out > 0 {
        console.note(&format!("{left_out} more, with weaker evidence: --top 0 lists all"));
    }
    Ok(())
}

fn totals(then: Totals, now: Totals) -> Result<RecordBatch, LabError> {
    let sides = [then, now];
    Columns::new()
        .text("side", ["then", "now"])
        .int("requests", sides.map(|side| side.requests))
        .int("addresses", sides.map(|side| side.addresses))
        .int("anomalous", sides.map(|side| side.anomalous))
        .int("ja4s", sides.map(|side| side.ja4s))
        .int("hosts", sides.map(|side| side.hosts))
        .int("first_ns", sides.map(|side| side.first_ns))
        .int("last_ns", sides.map(|side| side.last_ns))
        .batch()
}

fn for_people(changes: &[&Change]) -> Result<RecordBatch, LabError> {
    let each = || changes.iter();
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    Columns::new()
        .text("change", each().map(|change| change.direction.as_str()))
        .text("kind", each().map(|change| change.aspect))
        .text("entity", each().map(|change| if change.value.is_empty() { "(none)" } else { &change.value }))
        .text("known as", each().map(|change| &change.known))
        .text("addresses", each().map(|change| format!("{} → {}", change.then.addresses, change.now.addresses)))
        .text("of all", each().map(|change| format!("{} → {}", percent(change.share_then), percent(change.share_now))))
        .text("anomalous", each().map(|change| format!("{} → {}", change.then.anomalous, change.now.anomalous)))
        .int("first_ns", each().map(|change| change.seen_ns().0))
        .text("by chance", each().map(|change| chance(change.by_chance)))
        .batch()
}

fn chance(bound: f64) -> String {
    if bound < 0.0001 { "< 0.0001".to_owned() } else { format!("{bound:.4}") }
}
