//! The arithmetic of tuning: voices and weights to scores, ranks, curves and counts. No screen in it.
//!
//! Promises: with the stored weights the scores are the stored ones; 100,000 sessions take some ten milliseconds; a voice that was
//! not asked takes no part in the mean.
//!
//! Read next: `ui.rs`, `ja4_models::ensemble` (fixed weights are a weighted mean of calibrated voices).

use std::collections::BTreeMap;

use ja4_lab::cycle::models::VoiceScores;

use crate::data::table::Table;

/// What can be moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knobs {
    /// Weights of forest, autoencoder, trees.
    pub weights: [f64; 3],
    /// Scores at or above it are anomalous.
    pub threshold: f64,
}

impl Default for Knobs {
    fn default() -> Self {
        let settings = ja4_lab::cycle::settings::Settings::default();
        Self { weights: [settings.weight_eif, settings.weight_autoencoder, settings.weight_boosted], threshold: 0.5 }
    }
}

/// The voices of all sessions, column by column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Voices {
    voices: [Vec<f64>; 3],
    stored: Vec<f64>,
    /// 1 bot, 0 legitimate, -1 unknown.
    labels: Vec<i64>,
}

/// A re-ranked list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranked {
    /// New score of each session, in the order of the table.
    pub scores: Vec<f64>,
    /// Sessions, worst first.
    pub order: Vec<u32>,
    /// Places risen (positive) or fallen against the stored order.
    pub moved: Vec<i64>,
    /// Sessions at or above the threshold.
    pub anomalous: usize,
}

/// Labelled sessions against the verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Bots called so.
    pub hits: usize,
    /// Bots missed.
    pub misses: usize,
    /// Legitimate sessions called bots.
    pub false_alarms: usize,
    /// Legitimate sessions left alone.
    pub passes: usize,
}

impl Voices {
    /// Reads the columns of `ui_scores`. Labels of the file are used where there are any.
    #[must_use]
    pub fn read(table: &Table) -> Self {
        let column = |name: &str| (0..table.rows()).map(|row| table.number(row, name)).collect::<Vec<f64>>();
        Self {
            voices: [column("score_eif"), column("score_autoencoder"), column("score_boosted")],
            stored: column("score"),
            labels: (0..table.rows()).map(|row| table.int(row, "label")).collect(),
        }
    }

    /// Takes other voices instead, by session id; a session that has none keeps those it had.
    pub fn replace(&mut self, table: &Table, voices: &BTreeMap<String, VoiceScores>) {
        for row in 0..table.rows() {
            let Some(found) = voices.get(table.text(row, "session_id").as_ref()) else { continue };
            for (column, value) in self.voices.iter_mut().zip([found.eif, found.autoencoder, found.boosted]) {
                if let Some(slot) = column.get_mut(row) {
                    *slot = value;
                }
            }
        }
    }

    /// Sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Labelled bots and legitimate sessions.
    #[must_use]
    pub fn labelled(&self) -> (usize, usize) {
        let count = |wanted: i64| self.labels.iter().filter(|label| **label == wanted).count();
        (count(1), count(0))
    }

    /// The score of one session.
    fn score(&self, row: usize, weights: [f64; 3]) -> f64 {
        let (mut sum, mut all) = (0.0, 0.0);
        for (voice, weight) in self.voices.iter().zip(weights) {
            if voice[row] >= 0.0 {
                sum += weight * voice[row];
                all += weight;
            }
        }
        if all > 0.0 { sum / all } else { self.stored[row] }
    }

    /// Scores and ranks for the knobs. The table comes worst first, so its order is the stored one.
    #[must_use]
    pub fn rank(&self, knobs: &Knobs) -> Ranked {
        let scores: Vec<f64> = (0..self.len()).map(|row| self.score(row, knobs.weights)).collect();
        let mut order: Vec<u32> = (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).collect();
        order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b)));
        let mut moved = vec![0_i64; self.len()];
        for (place, row) in order.iter().enumerate() {
            moved[*row as usize] = i64::from(*row) - i64::try_from(place).unwrap_or(i64::MAX);
        }
        let anomalous = scores.iter().filter(|score| **score >= knobs.threshold).count();
        Ranked { scores, order, moved, anomalous }
    }

    /// Counts over the labelled sessions.
    #[must_use]
    pub fn confusion(&self, ranked: &Ranked, threshold: f64) -> Confusion {
        let mut counts = Confusion::default();
        for (score, label) in ranked.scores.iter().zip(&self.labels) {
            match (label, *score >= threshold) {
                (1, true) => counts.hits += 1,
                (1, false) => counts.misses += 1,
                (0, true) => counts.false_alarms += 1,
                (0, false) => counts.passes += 1,
                _ => {}
            }
        }
        counts
    }

    /// ROC points (false alarms, hits) and precision-recall points (recall, precision), both as shares; equal scores are one step.
    #[must_use]
    pub fn curves(&self, ranked: &Ranked) -> (Vec<[f64; 2]>, Vec<[f64; 2]>) {
        let (bots, people) = self.labelled();
        let (mut roc, mut precision) = (vec![[0.0, 0.0]], Vec::new());
        let (mut hits, mut alarms) = (0_usize, 0_usize);
        let mut rows = ranked.order.iter().map(|row| *row as usize).filter(|row| self.labels[*row] >= 0).peekable();
        while let Some(row) = rows.next() {
            match self.labels[row] {
                1 => hits += 1,
                _ => alarms += 1,
            }
            let tied = rows.peek().is_some_and(|next| ranked.scores[*next].total_cmp(&ranked.scores[row]).is_eq());
            if !tied {
                let recall = share(hits, bots);
                roc.push([share(alarms, people), recall]);
                precision.push([recall, share(hits, hits + alarms)]);
            }
        }
        (roc, precision)
    }

    /// The threshold at which this share of all sessions is anomalous.
    #[must_use]
    pub fn threshold_at(&self, ranked: &Ranked, wanted: f64) -> f64 {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in the order"
        )]
        let place = ((self.len() as f64) * wanted.clamp(0.0, 1.0)).round() as usize;
        let at = |place: usize| ranked.order.get(place).map(|row| ranked.scores[*row as usize]);
        place.checked_sub(1).and_then(at).unwrap_or(1.0)
    }
}

/// Area under a curve of ascending x, by trapezoids.
#[must_use]
pub fn area(curve: &[[f64; 2]]) -> f64 {
    curve.windows(2).map(|pair| (pair[1][0] - pair[0][0]) * f64::midpoint(pair[0][1], pair[1][1])).sum()
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table::Column;

    fn table(rows: usize) -> Table {
        let value = |row: usize, prime: usize| f64::from(u32::try_from(row * prime % 997).unwrap()) / 997.0;
        let column = |prime: usize| Column::Float((0..rows).map(|row| value(row, prime)).collect());
        Table::new(
            rows,
            vec![
                ("score", column(7)),
                ("score_eif", column(7)),
                ("score_autoencoder", Column::Float(vec![-1.0; rows])),
                ("score_boosted", column(13)),
                ("label", Column::Int((0..rows).map(|row| [1, 0, -1][row % 3]).collect())),
            ],
        )
    }

    #[test]
    fn a_voice_that_was_not_asked_takes_no_part() {
        let voices = Voices::read(&table(10));
        let ranked = voices.rank(&Knobs { weights: [1.0, 5.0, 0.0], threshold: 0.5 });
        assert_eq!(ranked.scores, voices.stored);
        let none = voices.rank(&Knobs { weights: [0.0; 3], threshold: 0.5 });
        assert_eq!(none.scores, voices.stored);
    }

    #[test]
    fn curves_and_counts_agree() {
        let voices = Voices::read(&table(300));
        let ranked = voices.rank(&Knobs::default());
        let counts = voices.confusion(&ranked, 0.5);
        assert_eq!(counts.hits + counts.misses, 100);
        assert_eq!(counts.false_alarms + counts.passes, 100);
        let (roc, precision) = voices.curves(&ranked);
        assert_eq!(roc.last(), Some(&[1.0, 1.0]));
        assert!((0.0..=1.0).contains(&area(&roc)));
        assert!(precision.iter().all(|[recall, precision]| (0.0..=1.0).contains(recall) && (0.0..=1.0).contains(precision)));
        assert_eq!(ranked.moved.iter().sum::<i64>(), 0);
    }

    #[test]
    fn perfect_voices_have_area_one() {
        let score = Column::Float(vec![0.9, 0.8, 0.2, 0.1]);
        let none = Column::Float(vec![-1.0; 4]);
        let columns = vec![
            ("score", score.clone()),
            ("score_eif", score),
            ("score_autoencoder", none.clone()),
            ("score_boosted", none),
            ("label", Column::Int(vec![1, 1, 0, 0])),
        ];
        let voices = Voices::read(&Table::new(4, columns));
        let ranked = voices.rank(&Knobs::default());
        assert!((area(&voices.curves(&ranked).0) - 1.0).abs() < 1e-12);
        assert!((voices.threshold_at(&ranked, 0.5) - 0.8).abs() < 1e-12);
    }

    #[test]
    fn a_hundred_thousand_sessions_follow_the_slider() {
        let voices = Voices::read(&table(100_000));
        #[allow(clippy::disallowed_methods, reason = "a bound on time needs a clock")]
        let begin = std::time::Instant::now();
        let ranked = voices.rank(&Knobs { weights: [0.2, 0.1, 0.7], threshold: 0.6 });
        let curves = voices.curves(&ranked);
        let took = begin.elapsed();
        println!("re-ranking 100,000 sessions with curves: {took:?}");
        assert!(curves.0.len() > 100 && took.as_millis() < 1_000, "{took:?}");
    }
}
