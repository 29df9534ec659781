//! What an experiment found: named values with intervals, predictions, figures, sentences.
//!
//! Promises: values stand in the order they were found; a digest covers every value that is not a time, and every prediction.
//!
//! Read next: `folder.rs` (how it is kept), `compare.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ja4_replay::digest::hex;
use polars::prelude::{Column, DataFrame, NamedFrom as _, Series};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::LabError;

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// What was varied: data, arm, level; parts are joined by ` / `.
    pub arm: String,
    /// Which figure.
    pub metric: String,
    /// The number.
    pub value: f64,
    /// 95 % interval by bootstrap over sessions, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Cases it rests on (the rarer class).
    #[serde(default)]
    pub cases: u64,
    /// True for times and sizes of this run, which another run need not repeat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measured: bool,
}

/// Score of one session by one model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prediction {
    /// What was varied.
    pub arm: String,
    /// Seed of model and folds.
    pub seed: u64,
    /// Session.
    pub session_id: String,
    /// Whether a program made it.
    pub bot: bool,
    /// Class, kind, client, population and campaign by the labels.
    pub truth: [String; 5],
    /// Forest, autoencoder, boosted trees, fixed weights, meta-learner; -1 where there was none.
    pub scores: [f64; 5],
}

/// Names of the columns of [`Prediction::scores`].
pub const VOICES: [&str; 5] = ["forest", "autoencoder", "boosted", "together", "meta"];

/// Everything that was found.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Numbers.
    pub values: Vec<Value>,
    /// Predictions.
    pub predictions: Vec<Prediction>,
    /// Figures by name, as SVG.
    pub figures: BTreeMap<String, String>,
    /// What a reader should know: samples that are small, things left out.
    pub notes: Vec<String>,
    /// Digests of the data used, by name.
    pub data: BTreeMap<String, String>,
}

impl Outcome {
    /// Adds a number.
    pub fn push(&mut self, arm: &str, metric: &str, value: f64, interval: Option<[f64; 2]>, cases: usize) {
        let (cases, value, interval) = (cases as u64, printable(value), interval.map(|ends| ends.map(printable)));
        self.values.push(Value { arm: arm.to_owned(), metric: metric.to_owned(), value, interval, cases, measured: false });
    }

    /// Adds a time or size of this run.
    pub fn push_measured(&mut self, arm: &str, metric: &str, value: f64) {
        let value = Value { arm: arm.to_owned(), metric: metric.to_owned(), value, interval: None, cases: 0, measured: true };
        self.values.push(value);
    }

    /// The value of an arm, if it was found.
    #[must_use]
    pub fn value(&self, arm: &str, metric: &str) -> Option<&Value> {
        self.values.iter().find(|value| value.arm == arm && value.metric == metric)
    }

    /// SHA-256 over every value that is not a time.
    #[must_use]
    pub fn metrics_digest(&self) -> String {
        metrics_digest(&self.values)
    }

    /// SHA-256 over every prediction, bit for bit.
    #[must_use]
    pub fn predictions_digest(&self) -> String {
        let mut all = Sha256::new();
        for prediction in &self.predictions {
            let mut line = format!("{}\t{}\t{}\t{}", prediction.arm, prediction.seed, prediction.session_id, prediction.bot);
            prediction.truth.iter().for_each(|text| {
                let _ = write!(line, "\t{text}");
            });
            prediction.scores.iter().for_each(|score| {
                let _ = write!(line, "\t{:016x}", score.to_bits());
            });
            line.push('\n');
            all.update(line.as_bytes());
        }
        hex(&all.finalize())
    }

    /// The predictions as a table.
    ///
    /// # Errors
    /// None that equal lengths can cause.
    pub fn table(&self) -> Result<DataFrame, LabError> {
        let texts = |f: &dyn Fn(&Prediction) -> String| self.predictions.iter().map(f).collect::<Vec<String>>();
        let series = |name: &str, values: Vec<String>| Column::from(Series::new(name.into(), values));
        let mut columns = vec![
            series("arm", texts(&|p| p.arm.clone())),
            Column::from(Series::new(
                "seed".into(),
                self.predictions.iter().map(|p| i64::try_from(p.seed).unwrap_or(i64::MAX)).collect::<Vec<i64>>(),
            )),
            series("session_id", texts(&|p| p.session_id.clone())),
            Column::from(Series::new("bot".into(), self.predictions.iter().map(|p| i64::from(p.bot)).collect::<Vec<i64>>())),
        ];
        for (place, name) in ["class", "kind", "client", "population", "campaign"].into_iter().enumerate() {
            columns.push(series(name, texts(&|p| p.truth.get(place).cloned().unwrap_or_default())));
        }
        for (place, name) in VOICES.into_iter().enumerate() {
            let scores: Vec<f64> = self.predictions.iter().map(|p| p.scores.get(place).copied().unwrap_or(-1.0)).collect();
            columns.push(Column::from(Series::new(name.into(), scores)));
        }
        DataFrame::new(self.predictions.len(), columns).map_err(|error| LabError::Features(error.to_string()))
    }
}

/// The nearest number of at most 15 digits (12 after the point): every reader of JSON gives it back to the bit, which is not so of
/// all doubles.
fn printable(number: f64) -> f64 {
    let text = if number.abs() < 1000.0 { format!("{number:.12}") } else { format!("{number:.14e}") };
    text.parse().unwrap_or(number)
}

/// SHA-256 over every value that is not a time, bit for bit.
#[must_use]
pub fn metrics_digest(values: &[Value]) -> String {
    let mut all = Sha256::new();
    for value in values.iter().filter(|value| !value.measured) {
        let bits = |number: f64| format!("{:016x}", number.to_bits());
        let interval = value.interval.map_or(String::new(), |[low, high]| bits(low) + &bits(high));
        all.update(format!("{}\t{}\t{}\t{interval}\t{}\n", value.arm, value.metric, bits(value.value), value.cases).as_bytes());
    }
    hex(&all.finalize())
}
