//! What the ensemble says about one row.

use serde::{Deserialize, Serialize};

/// How far above the threshold a score lies. Levels are set by false-positive rate: each is exceeded by a fixed part of
/// the normal rows that exceed the one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Below the threshold.
    None,
    /// At the target false-positive rate.
    Low,
    /// At a third of it.
    Medium,
    /// At a tenth of it.
    High,
    /// At a thirtieth of it.
    Critical,
}

impl Severity {
    /// Levels above `None`, with the part of the target false-positive rate that reaches each.
    pub(super) const LEVELS: [(Self, f64); 4] =
        [(Self::Low, 1.0), (Self::Medium, 1.0 / 3.0), (Self::High, 0.1), (Self::Critical, 1.0 / 30.0)];

    /// The word stored in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// One row's verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Combined score in (0, 1), higher = more anomalous.
    pub score: f64,
    /// The score reaches the threshold.
    pub anomalous: bool,
    /// How far.
    pub severity: Severity,
    /// Share of voices that, at the same false-positive rate, say what the ensemble says.
    pub agreement: f64,
    /// Calibrated score of each voice in [0, 1], in the order of [`super::EnsembleModel::voices`].
    pub voices: Vec<f64>,
}
