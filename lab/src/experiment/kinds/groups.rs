//! Groups of sessions against the campaigns that made them: what a shared fingerprint alone finds, and what the campaigns of the
//! product find after a scoring run.
//!
//! Promises: truth is the campaign of a scenario (each session of no campaign is a group of its own kind, `none`); figures are the adjusted
//! Rand index (Hubert, Arabie 1985) and purity, over sessions of programs and people alike.
//!
//! Read next: `datasets/scenarios/fleet.toml`, `campaign.toml`.

use std::collections::BTreeMap;

use ja4_replay::store::Statement;

use super::{Run, ratio};
use crate::cycle::{self, CyclePlan};
use crate::error::LabError;
use crate::experiment::bench::interval;
use crate::experiment::data::SessionTruth;
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Bar, bars};
use ja4_models::Rng;

const MEMBERS: Statement = Statement::shared(include_str!("../../../../sql/shared/queries/experiment_members.sql"));

/// What sessions must share to stand in one group, by name.
const TRAITS: &[(&str, &[&str])] = &[
    ("JA4", &["ja4"]),
    ("JA4 and User-Agent", &["ja4", "user_agent"]),
    ("JA4, User-Agent and header order", &["ja4", "user_agent", "header_order"]),
    ("JA4, header order and host", &["ja4", "header_order", "host"]),
];

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for (place, data) in run.plan.data.iter().enumerate() {
        let loaded = run.places.usual(data, &place.to_string())?;
        outcome.data.insert(loaded.name.clone(), loaded.rows_digest.clone());
        let (frame, truths) = loaded.sessions()?;
        let known: Vec<(usize, SessionTruth)> =
            truths.into_iter().enumerate().filter_map(|(row, truth)| Some((row, truth?))).collect();
        let campaign = |truth: &SessionTruth| if truth.campaign.is_empty() { "none".to_owned() } else { truth.campaign.clone() };
        let truth: Vec<String> = known.iter().map(|(_, truth)| campaign(truth)).collect();
        let in_campaigns = truth.iter().filter(|name| *name != "none").count();
        if in_campaigns < 10 {
            return Err(LabError::Ask(format!(
                "experiment: {} has {in_campaigns} sessions of campaigns; at least 10 are needed",
                loaded.name
            )));
        }
        outcome.notes.push(format!("{}: {} sessions, {in_campaigns} of campaigns", loaded.name, truth.len()));
        let mut shown = Vec::new();
        for (name, columns) in TRAITS {
            let columns = columns.iter().map(|column| frame.text(column)).collect::<Result<Vec<_>, _>>()?;
            let keys = known.iter().map(|(row, _)| {
                columns.iter().map(|column| column.get(*row).cloned().unwrap_or_default()).collect::<Vec<_>>().join("\n")
            });
            let found: Vec<String> = keys.collect();
            let arm = format!("{} / {name}", loaded.name);
            measure(run, &mut outcome, &arm, &truth, &found);
            shown.extend(outcome.value(&arm, "adjusted_rand").map(|value| Bar::of(name, value)));
        }
        (run.tell)("scoring and grouping");
        cycle::run(&*loaded.store, &CyclePlan::default())?;
        let members = loaded.ask(&MEMBERS)?;
        let (ids, windows) = (members.text("campaign_id")?, members.int("win_ms")?);
        let (ips, ja4s, hosts) = (members.text("src_ip")?, members.text("ja4")?, members.text("host")?);
        let keys = windows.into_iter().zip(ips).zip(ja4s.into_iter().zip(hosts));
        let by_key: BTreeMap<_, String> = keys.zip(ids).collect();
        let (windows, ips, ja4s, hosts) = (frame.int("win_ms")?, frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?);
        let text = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
        let found = known.iter().map(|(row, _)| {
            let window = windows.get(*row).copied().unwrap_or_default();
            let key = ((window, text(&ips, *row)), (text(&ja4s, *row), text(&hosts, *row)));
            by_key.get(&key).cloned().unwrap_or_else(|| "none".to_owned())
        });
        let found: Vec<String> = found.collect();
        let arm = format!("{} / campaigns of the product", loaded.name);
        measure(run, &mut outcome, &arm, &truth, &found);
        let caught = found.iter().zip(&truth).filter(|(found, truth)| *found != "none" && *truth != "none").count();
        outcome.push(&arm, "campaign_sessions_in_a_group", ratio(caught, in_campaigns), None, in_campaigns);
        let wrongly = found.iter().zip(&truth).filter(|(found, truth)| *found != "none" && *truth == "none").count();
        outcome.push(
            &arm,
            "other_sessions_in_a_group",
            ratio(wrongly, truth.len().saturating_sub(in_campaigns)),
            None,
            truth.len(),
        );
        shown.extend(outcome.value(&arm, "adjusted_rand").map(|value| Bar::of("campaigns of the product", value)));
        let title = format!("Adjusted Rand index against campaigns, by shared traits, {}", loaded.name);
        outcome.figures.insert(format!("groups-{place}"), bars(&title, "adjusted Rand index", (0.0, 1.0), &shown));
    }
    Ok(outcome)
}

fn measure(run: &Run<'_>, outcome: &mut Outcome, arm: &str, truth: &[String], found: &[String]) {
    let pairs: Vec<(&str, &str)> = truth.iter().map(String::as_str).zip(found.iter().map(String::as_str)).collect();
    // Within campaigns only: does one campaign stay together, and alone?
    let inside: Vec<(&str, &str)> = pairs.iter().copied().filter(|(truth, _)| *truth != "none").collect();
    let figures: [(&str, fn(&[(&str, &str)]) -> f64, &[(&str, &str)]); 3] = [
        ("adjusted_rand", adjusted_rand, &pairs),
        ("adjusted_rand_within_campaigns", adjusted_rand, &inside),
        ("purity", purity, &pairs),
    ];
    for (metric, figure, cases) in figures {
        let draws = (0..run.plan.bootstrap).map(|sample| {
            let mut random = Rng::stream(1, 0x6170_0000 + sample);
            let drawn: Vec<(&str, &str)> =
                (0..cases.len()).filter_map(|_| cases.get(random.below(cases.len())).copied()).collect();
            figure(&drawn)
        });
        outcome.push(arm, metric, figure(cases), interval(draws.collect()), cases.len());
    }
    let groups = found.iter().collect::<std::collections::BTreeSet<_>>().len();
    outcome.push(arm, "groups", ratio(groups, 1), None, pairs.len());
}

/// Agreement of two partitions, 1 for the same, about 0 for chance.
fn adjusted_rand(pairs: &[(&str, &str)]) -> f64 {
    let (mut rows, mut columns, mut cells) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (a, b) in pairs {
        *rows.entry(*a).or_insert(0_usize) += 1;
        *columns.entry(*b).or_insert(0_usize) += 1;
        *cells.entry((*a, *b)).or_insert(0_usize) += 1;
    }
    #[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
    let two = |n: &usize| (n * n.saturating_sub(1)) as f64 / 2.0;
    let (together, a, b): (f64, f64, f64) =
        (cells.values().map(two).sum(), rows.values().map(two).sum(), columns.values().map(two).sum());
    let expected = a * b / two(&pairs.len()).max(1.0);
    let most = (a + b) / 2.0;
    if (most - expected).abs() < 1e-12 { 1.0 } else { (together - expected) / (most - expected) }
}

/// Share of sessions that belong to the most frequent truth of their group.
fn purity(pairs: &[(&str, &str)]) -> f64 {
    let mut groups: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (truth, group) in pairs {
        *groups.entry(group).or_default().entry(truth).or_default() += 1;
    }
    ratio(groups.values().filter_map(|counts| counts.values().max()).sum(), pairs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indices_are_those_of_the_textbook() {
        // scikit-learn: adjusted_rand_score([0,0,1,1],[0,0,1,2]) = 0.5714285714
        let pairs = [("0", "0"), ("0", "0"), ("1", "1"), ("1", "2")];
        assert!((adjusted_rand(&pairs) - 0.571_428_571_428_571_5).abs() < 1e-12);
        assert!((purity(&[("a", "x"), ("a", "x"), ("b", "x"), ("b", "y")]) - 0.75).abs() < 1e-12);
        assert!((adjusted_rand(&[("0", "x"), ("1", "y")]) - 1.0).abs() < 1e-12);
    }
}
