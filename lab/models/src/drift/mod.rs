//! Whether a table of today is still one of the reference's kind: column by column, and as a whole.
//!
//! Promises: a column counts as drifted only if three things hold: chance cannot explain it (Kolmogorov–Smirnov, corrected for the number
//! of columns), it is large enough to matter (population stability index less what sampling alone gives), and it is more than the
//! reference's own parts (hours, days) differ from each other. So a small table, many columns or an uneven week raise no alarm.
//! The same tables give the same bits. Read next: `stats.rs` (the figures), `lab/src/drift` (what is decided from them).

mod stats;

use rayon::prelude::*;

pub use self::stats::{Sample, kolmogorov_p};
use crate::error::{ModelError, Result};
use crate::matrix::Matrix;

/// Quantiles that are reported: 1, 5, 10, 25, 50, 75, 90, 95 and 99 %.
pub const QUANTILES: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];

/// When a column counts as drifted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftLimits {
    /// Probability of one false alarm in any column of one comparison.
    pub alpha: f64,
    /// Smallest population stability index, sampling taken off, that matters; 0.1 is "some change", 0.25 "much" by convention.
    pub psi: f64,
    /// Share of the columns that moved which must move the same way to call the drift adversarial.
    pub same_way: f64,
    /// Columns that must have moved before their ways are compared.
    pub moved_min: usize,
    /// Rows each side needs.
    pub rows_min: usize,
}

impl Default for DriftLimits {
    fn default() -> Self {
        Self { alpha: 0.001, psi: 0.1, same_way: 0.8, moved_min: 8, rows_min: 50 }
    }
}

/// One column, then and now.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDrift {
    /// Column.
    pub name: String,
    /// Its values at [`QUANTILES`] in the reference.
    pub then: [f64; 9],
    /// The same now.
    pub now: [f64; 9],
    /// Kolmogorov–Smirnov distance, 0 to 1.
    pub ks: f64,
    /// Probability of that distance by chance, times the number of columns, at most 1.
    pub p: f64,
    /// Population stability index over ten parts of the reference.
    pub psi: f64,
    /// Kullback–Leibler divergence of now from the reference over the same parts, nats.
    pub kl: f64,
    /// Probability that a row of now lies above one of the reference, less that it lies below: −1 to 1.
    pub shift: f64,
    /// Largest Kolmogorov–Smirnov distance beyond chance between a part of the reference and the rest of it.
    pub usual: f64,
    /// All three conditions of the module head hold.
    pub drifted: bool,
}

/// All columns together.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDrift {
    /// One entry a column, in the table's order.
    pub columns: Vec<ColumnDrift>,
    /// Share of the columns that drifted.
    pub drifted_share: f64,
    /// Share of the drifted columns that moved the commoner way (up or down); 0 where too few moved to compare.
    pub same_way: f64,
    /// Whether that share reaches the limit: one hand moves everything, as noise and ordinary change do not.
    pub adversarial: bool,
    /// Rows compared: reference, now.
    pub rows: (usize, usize),
}

/// Compares `now` with `reference`. `part` names the hour or day of each reference row (empty: no parts are known).
///
/// # Errors
/// [`ModelError::FeatureHash`] for tables of other columns, [`ModelError::TooFewRows`] where either side is too small to say anything,
/// [`ModelError::LengthMismatch`] for parts of another length.
pub fn compare(reference: &Matrix, part: &[i64], now: &Matrix, limits: &DriftLimits) -> Result<TableDrift> {
    let operation = "comparing with the reference";
    reference.features().require(now.features())?;
    if let Some(&found) = [reference.rows(), now.rows()].iter().find(|&&rows| rows < limits.rows_min) {
        return Err(ModelError::TooFewRows { operation, needed: limits.rows_min, found });
    }
    if !part.is_empty() && part.len() != reference.rows() {
        return Err(ModelError::LengthMismatch { operation, expected: reference.rows(), found: part.len() });
    }
    let parts = Parts::new(part, limits.rows_min);
    let columns: Vec<ColumnDrift> =
        (0..reference.columns()).into_par_iter().map(|column| one(reference, now, column, &parts, limits)).collect();
    let moved: Vec<&ColumnDrift> = columns.iter().filter(|column| column.drifted).collect();
    let up = moved.iter().filter(|column| column.shift > 0.0).count();
    let compared = moved.len() >= limits.moved_min;
    let same_way = if compared { up.max(moved.len() - up) as f64 / moved.len() as f64 } else { 0.0 };
    Ok(TableDrift {
        drifted_share: moved.len() as f64 / columns.len().max(1) as f64,
        same_way,
        adversarial: compared && same_way >= limits.same_way,
        rows: (reference.rows(), now.rows()),
        columns,
    })
}

fn one(reference: &Matrix, now: &Matrix, column: usize, parts: &Parts, limits: &DriftLimits) -> ColumnDrift {
    let values = |matrix: &Matrix| (0..matrix.rows()).map(|row| matrix.row(row)[column]).collect::<Vec<f64>>();
    let all = values(reference);
    let (then, today) = (Sample::new(all.clone()), Sample::new(values(now)));
    let ks = then.ks(&today);
    let tests = reference.columns() as f64;
    let p = (kolmogorov_p(ks, then.len(), today.len()) * tests).min(1.0);
    let (psi, kl) = then.psi_and_kl(&today);
    // Under no drift the index times nm/(n+m) follows chi-square with nine degrees of freedom.
    let by_chance = 9.0 * (1.0 / then.len().max(1) as f64 + 1.0 / today.len().max(1) as f64);
    let chance = stats::critical_distance(limits.alpha / tests, then.len(), today.len());
    let usual = parts.usual(&all, limits.alpha / tests);
    let drifted = p < limits.alpha && ks - chance > usual && psi - by_chance > limits.psi;
    ColumnDrift {
        name: reference.features().names()[column].clone(),
        then: then.quantiles(),
        now: today.quantiles(),
        ks,
        p,
        psi,
        kl,
        shift: then.shift(&today),
        usual,
        drifted,
    }
}

/// Rows of each part of the reference that is large enough to be compared with the rest.
struct Parts(Vec<Vec<bool>>);

impl Parts {
    fn new(part: &[i64], rows_min: usize) -> Self {
        let mut names = part.to_vec();
        names.sort_unstable();
        names.dedup();
        let rows_of = |name: &i64| part.iter().map(|found| found == name).collect::<Vec<bool>>();
        let large = |rows: &Vec<bool>| {
            let inside = rows.iter().filter(|inside| **inside).count();
            inside >= rows_min && rows.len() - inside >= rows_min
        };
        // A month of hours is looked at by its first week of them; more tell no more.
        Self(names.iter().take(168).map(rows_of).filter(large).collect())
    }

    /// How far a part lies from the rest, beyond chance, at most.
    fn usual(&self, values: &[f64], alpha: f64) -> f64 {
        let distance = |rows: &Vec<bool>| {
            let side = |wanted: bool| {
                values.iter().zip(rows).filter(|(_, inside)| **inside == wanted).map(|(value, _)| *value).collect()
            };
            let (part, rest) = (Sample::new(side(true)), Sample::new(side(false)));
            part.ks(&rest) - stats::critical_distance(alpha, part.len(), rest.len())
        };
        self.0.iter().map(distance).fold(0.0, f64::max)
    }
}
