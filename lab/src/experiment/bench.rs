//! Models over the sessions of an experiment: which rows teach, which are scored, and how well the scores separate.
//!
//! Promises: a row is never scored by a model that saw it, its address (people) or its client (programs); the same rows and seed give the
//! same scores on any number of threads.
//!
//! Read next: `kinds/*.rs` (who uses it), `ja4_models::ensemble`.

use std::collections::{BTreeMap, BTreeSet};

use ja4_models::ensemble::{EnsembleModel, EnsembleParams, TrainingData};
use ja4_models::{AutoencoderParams, EifParams, FeatureSet, Matrix, Rng, VoiceKind, metrics};

use super::data::{Loaded, SessionTruth};
use super::outcome::{Outcome, Prediction};
use super::plan::Plan;
use crate::catalogue::{Catalogue, ModelKind};
use crate::cycle::models::boosted;
use crate::cycle::session_id;
use crate::error::LabError;
use crate::frame::shaped;

/// The sessions with a handshake and a truth.
pub struct Bench {
    /// Their features, shaped as models see them.
    pub matrix: Matrix,
    /// What made each.
    pub truth: Vec<SessionTruth>,
    /// Whether a program made it.
    pub bot: Vec<bool>,
    /// Address.
    pub src_ip: Vec<String>,
    /// Hour, ms since 1970.
    pub win_ms: Vec<i64>,
    /// Identity.
    pub session_id: Vec<String>,
    /// Family of each feature.
    pub family: Vec<String>,
    /// Trees of the forest.
    trees: usize,
}

/// How scores are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// Only these features.
    pub features: Option<&'a FeatureSet>,
    /// Whether a meta-learner is fitted too, which costs a second fit.
    pub meta: bool,
    /// Whether programs teach too; else only people do, to forest and autoencoder.
    pub unlabelled: bool,
    /// Rows that count as ordinary in spite of their truth.
    pub smuggled: &'a [usize],
}

impl Bench {
    /// Reads the sessions of `loaded`; what is left out is noted.
    ///
    /// # Errors
    /// The engine's refusal, or too few sessions of either class.
    pub fn new(loaded: &Loaded, plan: &Plan, outcome: &mut Outcome) -> Result<Self, LabError> {
        let (frame, truths) = loaded.sessions()?;
        let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
        let ja4s = frame.text("ja4")?;
        let usable =
            |row: &usize| truths.get(*row).is_some_and(Option::is_some) && ja4s.get(*row).is_some_and(|ja4| !ja4.is_empty());
        let rows: Vec<usize> = (0..frame.sessions()).filter(usable).collect();
        let truth: Vec<SessionTruth> = rows.iter().filter_map(|row| truths.get(*row).cloned().flatten()).collect();
        let bot: Vec<bool> = truth.iter().map(|truth| truth.class != "human").collect();
        let bots = bot.iter().filter(|bot| **bot).count();
        let people = bot.len().saturating_sub(bots);
        outcome.data.insert(loaded.name.clone(), loaded.rows_digest.clone());
        outcome.notes.push(format!(
            "{}: {} sessions with a handshake and a truth, {people} of people and {bots} of programs; {} left out (no handshake, mixed, or unknown)",
            loaded.name,
            rows.len(),
            frame.sessions().saturating_sub(rows.len())
        ));
        if people < 10 || bots < 10 {
            let why = "an experiment with models needs at least 10 of each";
            return Err(LabError::Ask(format!(
                "experiment: {} has {people} sessions of people and {bots} of programs; {why}",
                loaded.name
            )));
        }
        let values = frame.values(&catalogue, ModelKind::Complete, &rows)?;
        let mut matrix = shaped(&catalogue, ModelKind::Complete, &values)?;
        let mut family: Vec<String> = catalogue.for_model(ModelKind::Complete).map(|feature| feature.family.clone()).collect();
        if !plan.families.is_empty() {
            let kept = |family: &String| plan.families.iter().any(|wanted| wanted.get_ref() == family);
            let names =
                matrix.features().names().iter().zip(&family).filter(|(_, family)| kept(family)).map(|(name, _)| name.clone());
            matrix = matrix.select_features(&FeatureSet::new(names)?)?;
            family.retain(kept);
        }
        let (windows, ips, hosts) = (frame.int("win_ms")?, frame.text("src_ip")?, frame.text("host")?);
        let text = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
        let win_ms: Vec<i64> = rows.iter().map(|row| windows.get(*row).copied().unwrap_or_default()).collect();
        let ids = rows
            .iter()
            .zip(&win_ms)
            .map(|(row, win)| session_id(*win, &text(&ips, *row), &text(&ja4s, *row), &text(&hosts, *row)));
        Ok(Self {
            session_id: ids.collect(),
            src_ip: rows.iter().map(|row| text(&ips, *row)).collect(),
            win_ms,
            matrix,
            truth,
            bot,
            family,
            trees: usize::try_from(plan.trees).unwrap_or(100),
        })
    }

    /// Number of sessions.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.bot.len()
    }

    /// The features of the families that `keep` names.
    ///
    /// # Errors
    /// No feature is left.
    pub fn features(&self, keep: impl Fn(&str) -> bool) -> Result<FeatureSet, LabError> {
        let names = self.matrix.features().names().iter().zip(&self.family).filter(|(_, family)| keep(family));
        Ok(FeatureSet::new(names.map(|(name, _)| name.clone()))?)
    }

    /// The features that `keep` names.
    ///
    /// # Errors
    /// No feature is left.
    pub fn named(&self, keep: impl Fn(&str) -> bool) -> Result<FeatureSet, LabError> {
        Ok(FeatureSet::new(self.matrix.features().names().iter().filter(|name| keep(name)).cloned())?)
    }

    /// Families present, in the catalogue's order.
    #[must_use]
    pub fn families(&self) -> Vec<String> {
        let mut families: Vec<String> = Vec::new();
        for family in &self.family {
            if !families.contains(family) {
                families.push(family.clone());
            }
        }
        families
    }

    /// Parts: people by address, programs by client (what is tested was never seen, not even its like from the same program), where
    /// each has at least as many groups as there are parts; else programs by address too.
    #[must_use]
    pub fn folds(&self, count: u64, seed: u64) -> Vec<u64> {
        let clients: BTreeSet<&str> =
            self.truth.iter().zip(&self.bot).filter(|(_, bot)| **bot).map(|(truth, _)| truth.name.as_str()).collect();
        let by_client = clients.len() as u64 >= count;
        let group = |row: usize| {
            let (bot, ip) = (self.bot.get(row).copied().unwrap_or_default(), self.src_ip.get(row).map_or("", String::as_str));
            let name = self.truth.get(row).map_or("", |truth| truth.name.as_str());
            if bot && by_client { format!("b/{name}") } else { format!("{}/{ip}", u8::from(bot)) }
        };
        let groups: Vec<String> = (0..self.rows()).map(group).collect();
        let mut names: Vec<&String> = groups.iter().collect::<BTreeSet<_>>().into_iter().collect();
        Rng::stream(seed, 0xf01d).shuffle(&mut names);
        let place: BTreeMap<&String, u64> =
            names.into_iter().enumerate().map(|(place, name)| (name, place as u64 % count)).collect();
        groups.iter().map(|group| place.get(group).copied().unwrap_or_default()).collect()
    }

    /// Scores `test` by models that learned from `train`.
    ///
    /// # Errors
    /// What the voices refuse.
    pub fn score(&self, train: &[usize], test: &[usize], ask: &Ask<'_>, seed: u64) -> Result<Vec<[f64; 5]>, LabError> {
        let narrowed;
        let matrix = match ask.features {
            Some(features) => {
                narrowed = self.matrix.select_features(features)?;
                &narrowed
            }
            None => &self.matrix,
        };
        let model = self.model(matrix, train, &Ask { meta: false, ..*ask }, seed)?;
        let tested = matrix.select_rows(test);
        let kinds: Vec<VoiceKind> = model.voices().map(|voice| voice.kind()).collect();
        let of = |voices: &[f64], kind| {
            kinds.iter().position(|found| *found == kind).and_then(|at| voices.get(at).copied()).unwrap_or(-1.0)
        };
        let verdicts = model.verdicts(&tested)?;
        let scores = verdicts.iter().map(|verdict| {
            let voice = |kind| of(&verdict.voices, kind);
            [voice(VoiceKind::Eif), voice(VoiceKind::Autoencoder), voice(VoiceKind::Boosted), verdict.score, -1.0]
        });
        let mut scores: Vec<[f64; 5]> = scores.collect();
        if ask.meta && !ask.unlabelled && train.len() >= 100 {
            for (slot, verdict) in scores.iter_mut().zip(self.model(matrix, train, ask, seed)?.verdicts(&tested)?) {
                slot[4] = verdict.score;
            }
        }
        Ok(scores)
    }

    /// The ensemble that learns from `train`, with the features of `matrix`; with a meta-learner where `ask` wants one.
    ///
    /// # Errors
    /// What the voices refuse.
    pub fn model(&self, matrix: &Matrix, train: &[usize], ask: &Ask<'_>, seed: u64) -> Result<EnsembleModel, LabError> {
        let label = |row: &usize| self.bot.get(*row).copied().unwrap_or_default();
        let mut ordinary: Vec<usize> = train.iter().copied().filter(|row| !label(row)).collect();
        ordinary.extend_from_slice(ask.smuggled);
        let baseline = matrix.select_rows(&ordinary);
        let learning = matrix.select_rows(train);
        let labels: Vec<bool> = train.iter().map(label).collect();
        let data = TrainingData { baseline: &baseline, labelled: (!ask.unlabelled).then_some((&learning, labels.as_slice())) };
        let params = EnsembleParams::default()
            .eif(EifParams::default().trees(self.trees))
            .autoencoder((baseline.rows() >= 20).then(AutoencoderParams::default))
            .boosted((!ask.unlabelled).then(boosted))
            .meta_min_labels(if ask.meta { 100 } else { usize::MAX });
        Ok(params.check()?.fit_on(data, seed)?)
    }

    /// Every session scored by a model of the other parts, for one seed.
    ///
    /// # Errors
    /// What the voices refuse.
    pub fn cross(&self, folds: u64, ask: &Ask<'_>, seed: u64) -> Result<Vec<[f64; 5]>, LabError> {
        let part = self.folds(folds, seed);
        let mut scores = vec![[-1.0; 5]; self.rows()];
        for fold in 0..folds {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..self.rows()).partition(|row| part.get(*row) == Some(&fold));
            if test.is_empty() {
                continue;
            }
            for (row, score) in test.iter().zip(self.score(&train, &test, ask, seed)?) {
                if let Some(slot) = scores.get_mut(*row) {
                    *slot = score;
                }
            }
        }
        Ok(scores)
    }

    /// The prediction of one row.
    #[must_use]
    pub fn prediction(&self, arm: &str, seed: u64, row: usize, scores: [f64; 5]) -> Prediction {
        let truth = self.truth.get(row).cloned().unwrap_or_default();
        Prediction {
            arm: arm.to_owned(),
            seed,
            session_id: self.session_id.get(row).cloned().unwrap_or_default(),
            bot: self.bot.get(row).copied().unwrap_or_default(),
            truth: [truth.class, truth.kind, truth.name, truth.population, truth.campaign],
            scores,
        }
    }
}

/// How well `scores` rank programs above people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Area under the ROC curve.
    pub auroc: f64,
    /// Average precision.
    pub ap: f64,
    /// Recall at 1 % false positives.
    pub recall: f64,
}

/// The figures of (score, is a program) pairs; `None` where one class is missing or a score is.
#[must_use]
pub fn quality(pairs: &[(f64, bool)]) -> Option<Quality> {
    let scores: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
    let labels: Vec<bool> = pairs.iter().map(|pair| pair.1).collect();
    if scores.iter().any(|score| *score < 0.0) {
        return None;
    }
    let found = metrics::Metrics::of(&scores, &labels).ok()?;
    Some(Quality { auroc: found.auroc, ap: found.ap, recall: found.recall_at_1pct_fpr })
}

/// 95 % interval of `figure` over `samples` draws of the cases with replacement, each class apart so that none is ever empty.
pub fn bootstrap<T: Copy>(
    cases: &[(T, bool)],
    samples: u64,
    seed: u64,
    figure: impl Fn(&[(T, bool)]) -> Option<f64>,
) -> Option<[f64; 2]> {
    let (bots, people): (Vec<(T, bool)>, Vec<(T, bool)>) = cases.iter().partition(|case| case.1);
    let mut found = Vec::new();
    for sample in 0..samples {
        let mut random = Rng::stream(seed, 0xb007_0000 + sample);
        let mut drawn = Vec::with_capacity(cases.len());
        for class in [&bots, &people] {
            for _ in 0..class.len() {
                drawn.extend(class.get(random.below(class.len())));
            }
        }
        found.extend(figure(&drawn));
    }
    interval(found)
}

/// The 2.5 % and 97.5 % quantiles.
#[must_use]
pub fn interval(mut found: Vec<f64>) -> Option<[f64; 2]> {
    found.sort_by(f64::total_cmp);
    let last = found.len().checked_sub(1)?;
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few thousand samples"
    )]
    let at = |share: f64| found.get((last as f64 * share).round() as usize).copied();
    Some([at(0.025)?, at(0.975)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_the_value_and_narrows_with_cases() {
        let cases = |n: usize| {
            (0..n).map(|i| (((i * 7919) % 101) as f64 + if i % 3 == 0 { 30.0 } else { 0.0 }, i % 3 == 0)).collect::<Vec<_>>()
        };
        let width = |n: usize| {
            let cases = cases(n);
            let value = quality(&cases).unwrap().auroc;
            let [low, high] = bootstrap(&cases, 200, 1, |drawn| quality(drawn).map(|q| q.auroc)).unwrap();
            assert!(low <= value && value <= high, "{low} {value} {high}");
            high - low
        };
        assert!(width(600) < width(60));
    }
}
