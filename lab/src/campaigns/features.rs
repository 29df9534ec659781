//! Where a session lies for the grouping: its features, robustly scaled, and the software it shows.
//!
//! The features together count as one unit of distance; another User-Agent counts another, another JA4 (without its extensions, which vary
//! with resumption) half of one. A trait is a place on a sphere found by its digest, so that any two different values are about
//! equally far apart and new ones need no list. Weights were chosen on the recorded set (`docs/SCIENCE.md`, section "Campaigns"). Promises:
//! no value of a feature decides alone; the same sessions give the same places.
//!
//! Read next: `mod.rs`, `ja4_models::cluster`.

use std::collections::BTreeMap;

use ja4_models::cluster::RobustScaler;
use ja4_models::{FeatureSet, Matrix, Rng};

use super::{Session, software};
use crate::catalogue::{Catalogue, ModelKind};
use crate::error::LabError;
use crate::frame::{FeatureFrame, shaped};

/// Columns a trait is spread over: enough that two values are never near by luck.
const TRAIT_COLUMNS: usize = 12;
const USER_AGENT_WEIGHT: f64 = 1.0;
const JA4_WEIGHT: f64 = 0.5;

/// One row a session; `sessions` in key order, as the frame is.
pub(super) fn matrix(frame: &FeatureFrame, sessions: &[Session]) -> Result<Matrix, LabError> {
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let kind = ModelKind::Complete;
    let rows = rows_of(frame, sessions)?;
    let values = shaped(&catalogue, kind, &frame.values(&catalogue, kind, &rows)?)?;
    let scaled = RobustScaler::fit(&values).apply(&values)?;
    #[allow(clippy::cast_precision_loss, reason = "a hundred columns")]
    let unit = 1.0 / (scaled.columns() as f64).sqrt();
    let mut all = Vec::with_capacity(sessions.len() * (scaled.columns() + 2 * TRAIT_COLUMNS));
    let mut agents = Places::new(USER_AGENT_WEIGHT);
    let mut stacks = Places::new(JA4_WEIGHT);
    for (row, session) in sessions.iter().enumerate() {
        all.extend(scaled.row(row).iter().map(|value| value * unit));
        let (tls, agent) = software(&session.ja4, &session.user_agent);
        // No User-Agent is no common trait: what shows none is told apart by its TLS alone.
        let agent = if agent.is_empty() { format!("\n{tls}") } else { agent };
        all.extend(agents.of(agent));
        all.extend(stacks.of(tls));
    }
    Ok(Matrix::new(FeatureSet::numbered(scaled.columns() + 2 * TRAIT_COLUMNS)?, all)?)
}

/// Places of one trait, each found once: thousands of sessions show the same software.
struct Places {
    weight: f64,
    known: BTreeMap<String, Vec<f64>>,
}

impl Places {
    fn new(weight: f64) -> Self {
        Self { weight, known: BTreeMap::new() }
    }

    fn of(&mut self, text: String) -> &[f64] {
        let weight = self.weight;
        self.known.entry(text).or_insert_with_key(|text| place(text, weight))
    }
}

/// A point on a sphere of radius `weight`, the same for the same text.
fn place(text: &str, weight: f64) -> Vec<f64> {
    let digest = crate::rows::short_id([text]);
    let mut rng = Rng::stream(u64::from_str_radix(&digest, 16).unwrap_or_default(), 0);
    let direction: Vec<f64> = (0..TRAIT_COLUMNS).map(|_| rng.normal()).collect();
    let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    direction.into_iter().map(|x| x * weight / length).collect()
}

/// Row of each session in the frame; both are in key order, so one walk finds all.
fn rows_of(frame: &FeatureFrame, sessions: &[Session]) -> Result<Vec<usize>, LabError> {
    let hours = frame.int("win_ms")?;
    let (ips, ja4s, hosts) = (frame.texts("src_ip")?, frame.texts("ja4")?, frame.texts("host")?);
    let mut rows = Vec::with_capacity(sessions.len());
    let mut keys = hours.iter().zip(&ips).zip(ja4s.iter().zip(&hosts)).enumerate();
    for session in sessions {
        let same = |((hour, ip), (ja4, host)): ((&i64, &&str), (&&str, &&str))| {
            *hour == session.win_ms && *ip == session.src_ip && *ja4 == session.ja4 && *host == session.host
        };
        let found = keys.find(|(_, key)| same(*key)).map(|(row, _)| row);
        rows.push(found.ok_or_else(|| {
            LabError::Ask(format!("campaigns: session {} is scored but its requests are gone; run `ja4-lab score`", session.id))
        })?);
    }
    Ok(rows)
}
