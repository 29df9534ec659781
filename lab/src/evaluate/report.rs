//! The figures of an evaluation: AUROC, average precision and recall at 1 % false positives, by kind and over all.
//!
//! Promises: a voice is measured on the sessions it was asked about, and their number is told; over all kinds, each program is
//! placed among the people that its own model scored, so that models of different kinds need not share a scale.
//!
//! Read next: `lead.rs`, `ja4_models::held_out::pooled_metrics`.

use std::fmt::Write as _;

use ja4_models::held_out::pooled_metrics;
use serde::Serialize;

use super::lead::{Beside, Lead, Said, lead};

/// Names of the four columns, as printed.
pub const VOICES: [&str; 4] = ["forest", "autoencoder", "boosted trees", "together"];

/// How well one voice separates a set of programs from people.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Area under the ROC curve.
    pub auroc: f64,
    /// Average precision.
    pub ap: f64,
    /// Share of the programs above all but 1 % of the people.
    pub recall_at_1pct_fpr: f64,
    /// Sessions of programs that the voice was asked about.
    pub bots: usize,
}

/// Figures of one kind, by voice in the order of [`VOICES`]; `None` where the voice was not asked.
#[derive(Debug, Clone, Serialize)]
pub struct KindFigures {
    /// The kind held out, or `all`.
    pub kind: String,
    /// Its sessions.
    pub sessions: usize,
    /// One entry a voice.
    pub voices: [Option<Figures>; 4],
    /// All voices together against the best of them, on the sessions it was asked about.
    pub lead: Option<Lead>,
}

/// An evaluation.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Sessions of people with known truth.
    pub people: usize,
    /// Sessions of programs.
    pub bots: usize,
    /// Sessions of both, left out.
    pub mixed: usize,
    /// All kinds together.
    pub all: KindFigures,
    /// Each kind, by name.
    pub kinds: Vec<KindFigures>,
}

impl Report {
    /// The figures of a kind.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&KindFigures> {
        self.kinds.iter().find(|kind| kind.kind == name)
    }

    /// The report as a table in text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} sessions: {} of people, {} of programs; {} of both left out\nAUROC, average precision, recall at 1 % false positives\n",
            self.people + self.bots,
            self.people,
            self.bots,
            self.mixed
        );
        let _ = write!(text, "{:<20}{:>9}", "kind", "sessions");
        for voice in VOICES {
            let _ = write!(text, "  {voice:<19}");
        }
        let _ = write!(text, "  together less the best voice (95 % interval)");
        for kind in std::iter::once(&self.all).chain(&self.kinds) {
            let _ = write!(text, "\n{:<20}{:>9}", kind.kind, kind.sessions);
            for figures in &kind.voices {
                match figures {
                    Some(found) => {
                        let _ = write!(text, "  {:.4} {:.3} {:.3} ", found.auroc, found.ap, found.recall_at_1pct_fpr);
                    }
                    None => {
                        let _ = write!(text, "  {:<19}", "not asked");
                    }
                }
            }
            if let Some(Lead { voice, difference, interval: [low, high], word }) = &kind.lead {
                let _ = write!(text, "  {difference:+.3} ({low:+.3} to {high:+.3}): {word}, {voice}");
            }
        }
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

/// Scores of programs and of people, by one voice.
type Set = (Vec<f64>, Vec<f64>);

/// Gathers scores kind by kind.
#[derive(Debug, Default)]
pub(super) struct Collector {
    sets: [Vec<Set>; 4],
    beside: Vec<Beside>,
    kinds: Vec<KindFigures>,
}

impl Collector {
    /// Adds a kind: for every session whether it is a program, and what each voice said.
    pub(super) fn add(&mut self, kind: &str, scored: &[(bool, Said)]) {
        let mut voices = [None; 4];
        for (place, slot) in voices.iter_mut().enumerate() {
            let said = |wanted: bool| -> Vec<f64> {
                let mine = scored.iter().filter(|(bot, _)| *bot == wanted);
                mine.filter_map(|(_, said)| said.get(place).copied().flatten()).collect()
            };
            let set = (said(true), said(false));
            if set.0.is_empty() || set.1.is_empty() {
                continue;
            }
            *slot = figures(std::slice::from_ref(&set));
            if let Some(sets) = self.sets.get_mut(place) {
                sets.push(set);
            }
        }
        let sessions = scored.iter().filter(|(bot, _)| *bot).count();
        let of = |wanted: bool| scored.iter().filter(|(bot, _)| *bot == wanted).map(|(_, said)| *said).collect();
        let beside = Beside { bots: of(true), people: of(false) };
        self.kinds.push(KindFigures { kind: kind.to_owned(), sessions, voices, lead: lead(std::slice::from_ref(&beside)) });
        self.beside.push(beside);
    }

    pub(super) fn report(self, people: usize, bots: usize, mixed: usize) -> Report {
        let voices = self.sets.map(|sets| figures(&sets));
        let sessions = self.kinds.iter().map(|kind| kind.sessions).sum();
        Report {
            people,
            bots,
            mixed,
            all: KindFigures { kind: "all".to_owned(), sessions, voices, lead: lead(&self.beside) },
            kinds: self.kinds,
        }
    }
}

fn figures(sets: &[Set]) -> Option<Figures> {
    let metrics = pooled_metrics(sets).ok()?;
    let bots = sets.iter().map(|(bots, _)| bots.len()).sum();
    Some(Figures { auroc: metrics.auroc, ap: metrics.ap, recall_at_1pct_fpr: metrics.recall_at_1pct_fpr, bots })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_that_was_not_asked_is_left_out_and_said_so() {
        let mut collector = Collector::default();
        let person = |score: f64| (false, [Some(score), None, Some(0.5), Some(score)]);
        let bot = |score: f64| (true, [Some(score), None, Some(0.5), Some(score)]);
        collector.add("scraper", &[person(0.1), person(0.3), bot(0.2), bot(0.9)]);
        let report = collector.report(2, 2, 1);
        let scraper = report.kind("scraper").unwrap();
        assert_eq!(scraper.voices[0].unwrap().auroc, 0.75);
        assert_eq!(scraper.voices[1], None);
        assert_eq!(scraper.voices[2].unwrap().auroc, 0.5);
        assert_eq!(report.all.voices, scraper.voices);
        assert!(
            report.text().contains("not asked") && report.text().starts_with("4 sessions: 2 of people, 2 of programs; 1 of both")
        );
    }
}
