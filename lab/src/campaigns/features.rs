//! Where a session lies for the grouping: its features, robustly scaled, and the software it shows.
//!
//! The features together count as one unit of distance; another User-Agent counts another, another JA4 (without its extensions, which vary
//! with resumption) half of one. A trait is a place on a sphere found by its digest, so that any two different values are about
//! equally far apart and new ones need no list. Weights were chosen on the recorded set (`docs/SCIENCE.md`, section "Campaigns"). Promises:
//! no value of a feature decides alone; the same sessions give the same places.
//!
//! Read next: `mod.rs`, `ja4_models::cluster`.

use ja4_models::cluster::RobustScaler;
use ja4_models::{FeatureSet, Matrix, Rng};

use super::group::{Software, Softwares};
use crate::catalogue::{Catalogue, ModelKind};
use crate::error::LabError;
use crate::frame::{FeatureColumn, FeatureFrame};

/// Columns a trait is spread over: enough that two values are never near by luck.
const TRAIT_COLUMNS: usize = 12;
const USER_AGENT_WEIGHT: f64 = 1.0;
const JA4_WEIGHT: f64 = 0.5;

/// The places of sessions, found when they are asked for: those of a million would fill gigabytes, and few are looked at twice.
pub(super) struct Places<'a> {
    columns: Vec<FeatureColumn<'a>>,
    /// Row of each session in the frame.
    rows: &'a [usize],
    scaler: RobustScaler,
    softwares: &'a Softwares,
    /// Where each software lies by its traits.
    traits: Vec<Vec<f64>>,
    /// Names of all columns.
    names: FeatureSet,
}

impl<'a> Places<'a> {
    /// Of the sessions in these rows of the frame.
    pub(super) fn new(frame: &'a FeatureFrame, rows: &'a [usize], softwares: &'a Softwares) -> Result<Self, LabError> {
        let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
        let columns = frame.features(&catalogue, ModelKind::Complete)?;
        let features = FeatureSet::numbered(columns.len())?;
        let shaped = |place: usize| match columns.get(place) {
            Some(column) => rows.iter().map(|row| column.shaped(*row)).collect(),
            None => Vec::new(),
        };
        let scaler = RobustScaler::of_columns(&features, shaped);
        let traits = softwares.known.iter().map(traits).collect();
        let names = FeatureSet::numbered(columns.len() + 2 * TRAIT_COLUMNS)?;
        Ok(Self { columns, rows, scaler, softwares, traits, names })
    }

    /// One row for each of some sessions.
    pub(super) fn at(&self, sessions: &[usize]) -> Result<Matrix, LabError> {
        #[allow(clippy::cast_precision_loss, reason = "a hundred columns")]
        let unit = 1.0 / (self.columns.len() as f64).sqrt();
        let mut all = Vec::with_capacity(sessions.len() * self.names.len());
        let mut own = Vec::with_capacity(self.columns.len());
        for session in sessions {
            let row = self.rows.get(*session).copied().unwrap_or(usize::MAX);
            own.clear();
            own.extend(self.columns.iter().map(|column| column.shaped(row)));
            self.scaler.apply_row(&mut own);
            all.extend(own.iter().map(|value| value * unit));
            let software = self.softwares.of.get(*session).and_then(|software| self.traits.get(*software));
            all.extend_from_slice(software.map_or(&[], Vec::as_slice));
        }
        Ok(Matrix::new(self.names.clone(), all)?)
    }
}

/// The place of a software.
fn traits((tls, agent): &Software) -> Vec<f64> {
    // No User-Agent is no common trait: what shows none is told apart by its TLS alone.
    let silent = format!("\n{tls}");
    let agent = if agent.is_empty() { &silent } else { agent };
    [place(agent, USER_AGENT_WEIGHT), place(tls, JA4_WEIGHT)].concat()
}

/// A point on a sphere of radius `weight`, the same for the same text.
fn place(text: &str, weight: f64) -> Vec<f64> {
    let digest = crate::rows::short_id([text]);
    let mut rng = Rng::stream(u64::from_str_radix(&digest, 16).unwrap_or_default(), 0);
    let direction: Vec<f64> = (0..TRAIT_COLUMNS).map(|_| rng.normal()).collect();
    let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    direction.into_iter().map(|x| x * weight / length).collect()
}
