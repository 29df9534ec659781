//! The models of the last scoring run, kept in the store beside the scores they gave.
//!
//! Promises: a model that was read back says what it said, bit for bit; one that is damaged or of other features counts as none kept, so that
//! the caller fits anew; nothing about a single session is in them beyond what fitted voices are.
//!
//! Read next: `workshop.rs` (who asks), `task.rs` (where they come from), `sql/duckdb/0017_judges.sql`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ja4_models::FeatureSet;
use ja4_replay::digest::hex;
use ja4_replay::store::{Statement, Store, TableName};

use super::models::ModelSet;
use super::reason::Span;
use crate::catalogue::ModelKind;
use crate::error::LabError;
use crate::rows::{Columns, Rows};

const JUDGES: TableName = TableName { schema: "ja4_processing", table: "judges" };
const JUDGE: Statement<'_> = Statement::shared(include_str!("../../../sql/shared/queries/judge.sql"));

/// An unpacked model larger than this is damage: fits are bounded by `learn_max` sessions and `trees`.
const MODEL_BYTES_MAX: u64 = 1 << 28;

/// One model with what it compares sessions with.
#[derive(Debug)]
pub(super) struct Kept {
    pub models: ModelSet,
    pub spans: Vec<Span>,
    pub threshold: f64,
}

/// A model of a run, packed for the store.
#[derive(Debug)]
pub(super) struct Packed {
    kind: ModelKind,
    id: String,
    threshold: f64,
    spans: String,
    model: String,
}

impl Packed {
    pub(super) fn new(kind: ModelKind, models: &ModelSet, spans: &[Span], threshold: f64) -> Result<Self, LabError> {
        let packing = |error: std::io::Error| LabError::Ask(format!("pack the {} model: {error}", kind.as_str()));
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&models.to_bytes()).map_err(packing)?;
        let model = hex(&packer.finish().map_err(packing)?);
        Ok(Self { kind, id: models.id(), threshold, spans: spans_text(spans), model })
    }
}

/// Puts the models of a run in the place of those before; a kind that the run had no session for keeps the one it has.
///
/// # Errors
/// The engine's refusal.
pub(super) fn remember(store: &dyn Store, packed: &[Packed]) -> Result<(), LabError> {
    let kinds: Vec<&str> = packed.iter().map(|model| model.kind.as_str()).collect();
    let batch = Columns::new()
        .text("model_kind", &kinds)
        .text("model_id", packed.iter().map(|model| &model.id))
        .float("threshold", packed.iter().map(|model| model.threshold))
        .text("spans", packed.iter().map(|model| &model.spans))
        .text("model", packed.iter().map(|model| &model.model))
        .batch()?;
    Ok(store.replace(JUDGES, "model_kind", &kinds, Some(batch))?)
}

/// Forgets the models of these kinds: the run that scored last cannot be repeated with a model alone.
///
/// # Errors
/// The engine's refusal.
pub(super) fn forget(store: &dyn Store, kinds: &[ModelKind]) -> Result<(), LabError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    Ok(store.replace(JUDGES, "model_kind", &kinds, None)?)
}

/// The model of this kind; `None` where none is kept, as in a store that an earlier version scored last.
pub(super) fn read(store: &dyn Store, kind: ModelKind, features: &FeatureSet) -> Option<Kept> {
    // A store that has no such table yet refuses; what else is wrong with it, the full reading tells.
    let rows = Rows::ask(store, &JUDGE, &[kind.as_str()]).ok()?;
    let first = |name| rows.text(name).ok()?.into_iter().next();
    let mut bytes = Vec::new();
    GzDecoder::new(&*unhex(&first("model")?)?).take(MODEL_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let models = ModelSet::from_bytes(&bytes, features)?;
    let spans = spans_of(&first("spans")?).filter(|spans| spans.len() == features.len())?;
    let threshold = rows.float("threshold").ok()?.into_iter().next()?;
    Some(Kept { models, spans, threshold })
}

/// `low median high` of each feature; Rust writes the shortest text that reads back as the same bits.
fn spans_text(spans: &[Span]) -> String {
    let mut text = String::new();
    for span in spans {
        let _ = writeln!(text, "{} {} {}", span.low, span.median, span.high);
    }
    text
}

fn spans_of(text: &str) -> Option<Vec<Span>> {
    let span = |line: &str| {
        let mut numbers = line.split(' ').map(str::parse::<f64>);
        let mut next = || numbers.next()?.ok();
        Some(Span { low: next()?, median: next()?, high: next()? })
    };
    text.lines().map(span).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_come_back_with_their_bits() {
        let spans = [Span { low: 0.1 + 0.2, median: -0.0, high: 1e-300 }, Span { low: 5.0, median: f64::MAX, high: 1.0 / 3.0 }];
        let back = spans_of(&spans_text(&spans)).unwrap();
        let bits = |spans: &[Span]| spans.iter().map(|s| [s.low, s.median, s.high].map(f64::to_bits)).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&spans));
        assert!(spans_of("1 2\n").is_none() && spans_of("1 2 many\n").is_none());
    }

    #[test]
    fn only_whole_bytes_are_bytes() {
        assert_eq!(unhex("00ff10"), Some(vec![0, 255, 16]));
        assert_eq!((unhex("0"), unhex("0g"), unhex("é")), (None, None, None));
    }
}
