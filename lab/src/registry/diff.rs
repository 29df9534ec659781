//! Two versions over the same sessions: whose rank changed most, and which feature did it.
//!
//! Promises: ranks are by score, then key, so equal scores never look like a change; the feature told is the one whose part in the
//! score changed most between the two versions. Nothing is written.
//!
//! Read next: `mod.rs`, `cycle/models.rs`.

use std::path::Path;

use ja4_models::Matrix;
use ja4_replay::store::Store;

use crate::catalogue::{Catalogue, ModelKind};
use crate::cycle::models::ModelSet;
use crate::cycle::{self, CyclePlan, session_id};
use crate::error::LabError;
use crate::frame::{FeatureFrame, shaped};

/// One session under two versions.
#[derive(Debug, Clone, PartialEq)]
pub struct RankChange {
    /// Session.
    pub session_id: String,
    /// Its address.
    pub src_ip: String,
    /// Its host.
    pub host: String,
    /// Place among all sessions of its kind, 1 is the worst: first version, second version.
    pub rank: (usize, usize),
    /// Score: first version, second version.
    pub score: (f64, f64),
    /// Whether the score reaches the threshold: first version, second version.
    pub anomalous: (bool, bool),
    /// The feature whose part changed most.
    pub feature: String,
    /// By how much its part changed, from -1 to 1.
    pub by: f64,
    /// The feature's value.
    pub value: f64,
}

/// The `top` sessions whose rank changed most between the models in two folders, with the number of sessions compared.
///
/// # Errors
/// A model that cannot be read or is of other features than this program's, or the engine's refusal.
pub fn diff(store: &dyn Store, folders: [&Path; 2], top: usize) -> Result<(usize, Vec<RankChange>), LabError> {
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let frame = cycle::read_frame(store, &CyclePlan::default())?;
    let mut changes = Vec::new();
    if frame.sessions() == 0 {
        return Ok((0, changes));
    }
    let has_handshake: Vec<bool> = frame.text("ja4")?.iter().map(|ja4| !ja4.is_empty()).collect();
    for kind in ModelKind::ALL {
        let rows: Vec<usize> =
            (0..frame.sessions()).filter(|row| has_handshake.get(*row) == Some(&(kind == ModelKind::Complete))).collect();
        let there = folders.iter().all(|folder| folder.join(super::model_file(kind)).is_file());
        if !rows.is_empty() && there {
            changes.extend(of_kind(&frame, &catalogue, kind, &rows, folders, top)?);
        }
    }
    changes.sort_by(|a, b| distance(b).cmp(&distance(a)).then_with(|| a.session_id.cmp(&b.session_id)));
    changes.truncate(top);
    Ok((frame.sessions(), changes))
}

fn distance(change: &RankChange) -> usize {
    change.rank.0.abs_diff(change.rank.1)
}

fn of_kind(
    frame: &FeatureFrame,
    catalogue: &Catalogue,
    kind: ModelKind,
    rows: &[usize],
    folders: [&Path; 2],
    top: usize,
) -> Result<Vec<RankChange>, LabError> {
    let values = frame.values(catalogue, kind, rows)?;
    let matrix = shaped(catalogue, kind, &values)?;
    let [first, second] = folders;
    let sets = [ModelSet::load(first, kind, matrix.features())?, ModelSet::load(second, kind, matrix.features())?];
    let mut scores = [Vec::new(), Vec::new()];
    for (set, scores) in sets.iter().zip(&mut scores) {
        *scores = set.score(&matrix)?.into_iter().map(|opinion| opinion.score).collect();
    }
    let ranks = [ranks(&scores[0]), ranks(&scores[1])];
    let mut order: Vec<usize> = (0..rows.len()).filter(|at| ranks[0][*at] != ranks[1][*at]).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(ranks[0][*at].abs_diff(ranks[1][*at])), *at));
    order.truncate(top);
    let picked = matrix.select_rows(&order);
    let parts = [sets[0].explain(&picked)?, sets[1].explain(&picked)?];
    let keys = (frame.int("win_ms")?, frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?);
    let mut changes = Vec::with_capacity(order.len());
    for (place, at) in order.into_iter().enumerate() {
        let row = rows[at];
        let (column, by) = moved_most(parts[0].row(place), parts[1].row(place));
        let score = (scores[0][at], scores[1][at]);
        changes.push(RankChange {
            session_id: session_id(keys.0[row], &keys.1[row], &keys.2[row], &keys.3[row]),
            src_ip: keys.1[row].clone(),
            host: keys.3[row].clone(),
            rank: (ranks[0][at], ranks[1][at]),
            score,
            anomalous: (score.0 >= sets[0].threshold(), score.1 >= sets[1].threshold()),
            feature: matrix.features().names()[column].clone(),
            by,
            value: value(&values, at, column),
        });
    }
    Ok(changes)
}

fn value(values: &Matrix, row: usize, column: usize) -> f64 {
    values.row(row).get(column).copied().unwrap_or_default()
}

/// Place of each score, 1 for the highest; equal scores in the order of rows.
fn ranks(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let mut ranks = vec![0; scores.len()];
    order.into_iter().enumerate().for_each(|(place, row)| ranks[row] = place + 1);
    ranks
}

fn moved_most(a: &[f64], b: &[f64]) -> (usize, f64) {
    let moves = a.iter().zip(b).map(|(a, b)| b - a).enumerate();
    moves.fold((0, 0.0), |best: (usize, f64), next| if next.1.abs() > best.1.abs() { next } else { best })
}
