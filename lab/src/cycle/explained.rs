//! Which sessions are explained feature by feature, where explaining all of them would cost more than scoring them.
//!
//! Promises: every anomalous session is; of the others the worst, until `explain_max` sessions are explained in all. A session has the
//! same explanation whoever is explained beside it.
//!
//! Read next: `reason.rs` (what is made of it), `settings.rs` (`explain_max`).

use std::ops::Range;

use ja4_models::{Explanation, Matrix};

use super::models::{ModelSet, Opinion};
use crate::error::LabError;

/// Explanations of some of a block of rows.
#[derive(Debug)]
pub(super) struct Explained {
    explanation: Explanation,
    /// First row of the block.
    start: usize,
    /// Place of each row of the block in the explanation; `None` where it has none.
    places: Vec<Option<usize>>,
}

impl Explained {
    /// Explains those rows of `block` that are among `chosen` (ascending).
    pub(super) fn new(
        models: &ModelSet,
        matrix: &Matrix,
        opinions: &[Opinion],
        block: Range<usize>,
        chosen: &[usize],
    ) -> Result<Self, LabError> {
        let first = chosen.partition_point(|row| *row < block.start);
        let rows: Vec<usize> = chosen.iter().copied().skip(first).take_while(|row| *row < block.end).collect();
        let mut places = vec![None; block.len()];
        for (place, row) in rows.iter().enumerate() {
            places.get_mut(row - block.start).into_iter().for_each(|slot| *slot = Some(place));
        }
        let said: Vec<&Opinion> = rows.iter().filter_map(|row| opinions.get(*row)).collect();
        let explanation = models.explain_scored(&matrix.select_rows(&rows), &said)?;
        Ok(Self { explanation, start: block.start, places })
    }

    /// The share of each feature in the row's score, if the row is explained.
    pub(super) fn shares(&self, row: usize) -> Option<&[f64]> {
        let place = row.checked_sub(self.start).and_then(|at| self.places.get(at))?;
        place.map(|place| self.explanation.row(place))
    }
}

/// Rows at or above the threshold and the worst of the others until there are `most`, ascending; of equals the first.
pub(super) fn chosen(scores: &[f64], threshold: f64, most: u64) -> Vec<usize> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let (mut rows, mut others): (Vec<usize>, Vec<usize>) =
        (0..scores.len()).partition(|row| scores.get(*row).is_some_and(|score| *score >= threshold));
    let score = |row: &usize| scores.get(*row).copied().unwrap_or_default();
    others.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cmp(b)));
    rows.extend(others.into_iter().take(most.saturating_sub(rows.len())));
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anomalous_are_always_explained_and_then_the_worst_of_the_others() {
        let scores = [0.1, 0.9, 0.4, 0.8, 0.4, 0.2];
        assert_eq!(chosen(&scores, 0.5, 0), [1, 3]);
        assert_eq!(chosen(&scores, 0.5, 3), [1, 2, 3]);
        assert_eq!(chosen(&scores, 0.5, 100), [0, 1, 2, 3, 4, 5]);
        assert_eq!(chosen(&[], 0.5, 3), [0usize; 0]);
    }
}
