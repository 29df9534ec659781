//! The nearest change that would flip a verdict: the fewest features that, moved to where people are, bring the score under the
//! threshold.
//!
//! Promises: greedy (forward, and backward where no single step helps) and bounded, so a short list and not always the
//! shortest; every move goes to the nearest edge of what people
//! show (or to their median, from inside); no move of the list can be left out; the same model and session give the same list.
//! Features that follow from each other are moved one by one: read the list as what speaks against the session, not as a recipe.
//!
//! Read next: `reason.rs` (spans), `mod.rs` (for which sessions it is sought).

use ja4_models::{FeatureSet, Matrix};

use super::models::ModelSet;
use super::reason::Span;
use crate::catalogue::Transform;
use crate::error::LabError;

/// More features than this are no explanation.
const MOST: usize = 12;

/// One feature moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Column of the matrix.
    pub column: usize,
    /// Where it would have to be, in the unit of the feature.
    pub to: f64,
}

/// What the search needs besides the session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pub models: &'a ModelSet,
    pub features: &'a FeatureSet,
    pub transforms: &'a [Transform],
    pub spans: &'a [Span],
    pub threshold: f64,
}

impl Search<'_> {
    /// The change for a session with these values; `None` if up to [`MOST`] moves do not suffice.
    pub(super) fn nearest(&self, values: &[f64]) -> Result<Option<Vec<Change>>, LabError> {
        let moves: Vec<Change> = values
            .iter()
            .zip(self.spans)
            .enumerate()
            .map(|(column, (value, span))| Change { column, to: target(*value, *span) })
            .filter(|change| values.get(change.column).is_some_and(|value| *value != change.to))
            .collect();
        let mut taken: Vec<Change> = Vec::new();
        let mut best = f64::INFINITY;
        while taken.len() < MOST {
            let open: Vec<Change> = moves.iter().copied().filter(|change| !taken.contains(change)).collect();
            let scores = self.scores(values, open.iter().map(|change| [taken.as_slice(), &[*change]].concat()))?;
            let found = scores.iter().zip(&open).min_by(|a, b| a.0.total_cmp(b.0));
            let Some((score, change)) = found.filter(|(score, _)| **score < best) else { return self.backward(values, &moves) };
            best = *score;
            taken.push(*change);
            if best < self.threshold {
                return Ok(Some(self.without_the_needless(values, taken)?));
            }
        }
        self.backward(values, &moves)
    }

    /// Where no single step helps: everything outside what people show is moved, and move by move taken back, the one that is
    /// missed least first, as long as the session passes.
    fn backward(&self, values: &[f64], moves: &[Change]) -> Result<Option<Vec<Change>>, LabError> {
        let outside = |change: &&Change| {
            let (value, span) = (values.get(change.column), self.spans.get(change.column));
            value.zip(span).is_some_and(|(value, span)| *value < span.low || *value > span.high)
        };
        let mut taken: Vec<Change> = moves.iter().filter(outside).copied().collect();
        let whole = self.scores(values, std::iter::once(taken.clone()))?;
        if taken.is_empty() || whole.first().is_none_or(|score| *score >= self.threshold) {
            return Ok(None);
        }
        while taken.len() > 1 {
            let without =
                |place: usize| taken.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, change)| *change).collect();
            let scores = self.scores(values, (0..taken.len()).map(without))?;
            let least = scores.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            match least {
                Some((place, score)) if *score < self.threshold => taken.remove(place),
                _ => break,
            };
        }
        Ok((taken.len() <= MOST).then_some(taken))
    }

    /// Earlier moves that later ones made needless are taken back, the first first.
    fn without_the_needless(&self, values: &[f64], mut taken: Vec<Change>) -> Result<Vec<Change>, LabError> {
        let mut place = 0;
        while taken.len() > 1 && place < taken.len() {
            let mut fewer = taken.clone();
            fewer.remove(place);
            let score = self.scores(values, std::iter::once(fewer.clone()))?;
            if score.first().is_some_and(|score| *score < self.threshold) {
                taken = fewer;
            } else {
                place += 1;
            }
        }
        Ok(taken)
    }

    fn scores(&self, values: &[f64], variants: impl Iterator<Item = Vec<Change>>) -> Result<Vec<f64>, LabError> {
        let unchanged: Vec<f64> = values.iter().zip(self.transforms).map(|(value, transform)| transform.apply(*value)).collect();
        let mut rows = Vec::new();
        for changes in variants {
            let start = rows.len();
            rows.extend_from_slice(&unchanged);
            for change in changes {
                if let (Some(slot), Some(transform)) = (rows.get_mut(start + change.column), self.transforms.get(change.column)) {
                    *slot = transform.apply(change.to);
                }
            }
        }
        self.models.combined(&Matrix::new(self.features.clone(), rows)?)
    }
}

/// The nearest value that people show.
fn target(value: f64, span: Span) -> f64 {
    if value < span.low {
        span.low
    } else if value > span.high {
        span.high
    } else {
        span.median
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::models::Lessons;
    use crate::cycle::reason::spans;
    use crate::cycle::settings::Settings;

    #[test]
    fn the_odd_feature_is_named_and_moving_it_passes() {
        let features = FeatureSet::new(["a", "b", "c", "d"]).unwrap();
        let people = |count: u32| (0..count).flat_map(|row| [0, 1, 2, 3].map(|k| f64::from((row * (7 + k) + k) % 23)));
        let matrix = Matrix::new(features.clone(), people(200).collect()).unwrap();
        let settings = Settings { weight_autoencoder: 0.0, ..Settings::default() };
        let models = ModelSet::fit(Lessons { people: &matrix, labelled: None, weak: false }, &settings).unwrap();
        let odd = [11.0, 900.0, 11.0, 12.0];
        let spans = spans(&matrix);
        let transforms = [Transform::None; 4];
        let score = models.combined(&Matrix::new(features.clone(), odd.to_vec()).unwrap()).unwrap()[0];
        let search =
            Search { models: &models, features: &features, transforms: &transforms, spans: &spans, threshold: score - 1e-6 };
        let change = search.nearest(&odd).unwrap().unwrap();
        assert_eq!(change, [Change { column: 1, to: spans[1].high }]);
        // A threshold that nothing reaches has no change, and the search ends.
        assert_eq!(Search { threshold: -1.0, ..search }.nearest(&odd).unwrap(), None);
    }
}
