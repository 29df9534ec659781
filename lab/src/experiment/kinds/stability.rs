//! JA3 against JA4: does one client keep its fingerprint from connection to connection, and do different clients share one?
//!
//! Promises: stability is the chance that two connections of one client agree, collision that two of different clients do; both without
//! a model. Intervals by bootstrap over connections.
//!
//! Read next: `docs/SCIENCE.md` (what the figures mean).

use std::collections::{BTreeMap, BTreeSet};

use ja4_models::Rng;
use ja4_replay::store::Statement;

use super::{FEW, Run, ratio};
use crate::error::LabError;
use crate::experiment::bench::interval;
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Bar, bars};

const HANDSHAKES: Statement = Statement::shared(include_str!("../../../../sql/shared/queries/experiment_handshakes.sql"));

/// One connection: client, JA3, JA4.
type Shake = (String, [String; 2]);

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for (place, data) in run.plan.data.iter().enumerate() {
        let loaded = run.places.usual(data, &place.to_string())?;
        outcome.data.insert(loaded.name.clone(), loaded.rows_digest.clone());
        let frame = loaded.ask(&HANDSHAKES)?;
        let (ips, ports, times) = (frame.text("src_ip")?, frame.int("src_port")?, frame.int("at_ns")?);
        let (ja3s, ja4s) = (frame.text("ja3")?, frame.text("ja4")?);
        let mut clients: BTreeMap<String, (String, Vec<Shake>)> = BTreeMap::new();
        for (((ip, port), at_ns), (ja3, ja4)) in ips.iter().zip(ports).zip(times).zip(ja3s.into_iter().zip(ja4s)) {
            let Some(connection) = loaded.labels.carrier("", ip, port, at_ns) else { continue };
            let entry = clients.entry(connection.name.clone()).or_insert_with(|| (connection.kind.clone(), Vec::new()));
            entry.1.push((connection.name.clone(), [ja3, ja4]));
        }
        let mut shown = [Vec::new(), Vec::new()];
        for (client, (kind, shakes)) in clients.iter().filter(|(_, (_, shakes))| shakes.len() >= 5) {
            for (which, name) in ["ja3", "ja4"].into_iter().enumerate() {
                let arm = format!("{} / {kind} / {client}", loaded.name);
                let spread = interval(resampled(run, shakes, &|drawn| agreement(drawn, which)));
                outcome.push(&arm, &format!("{name}_stability"), agreement(shakes, which), spread, shakes.len());
                let distinct: BTreeSet<&String> = shakes.iter().filter_map(|shake| shake.1.get(which)).collect();
                outcome.push(&arm, &format!("{name}_distinct"), ratio(distinct.len(), 1), None, shakes.len());
                if kind == "browser" {
                    let value = outcome
                        .value(&arm, &format!("{name}_stability"))
                        .map(|value| Bar::of(&format!("{client}, {name}"), value));
                    shown.iter_mut().take(1).for_each(|bars| bars.extend(value.clone()));
                }
            }
        }
        let all: Vec<Shake> = clients.values().flat_map(|(_, shakes)| shakes.iter().cloned()).collect();
        for (which, name) in ["ja3", "ja4"].into_iter().enumerate() {
            let arm = format!("{} / all clients", loaded.name);
            let stable = |drawn: &[Shake]| pairs(drawn, which, true);
            let shared = |drawn: &[Shake]| pairs(drawn, which, false);
            for (metric, figure) in [("stability", &stable as &dyn Fn(&[Shake]) -> f64), ("collision", &shared)] {
                outcome.push(&arm, &format!("{name}_{metric}"), figure(&all), interval(resampled(run, &all, figure)), all.len());
                let value =
                    outcome.value(&arm, &format!("{name}_{metric}")).map(|value| Bar::of(&format!("{name}, {metric}"), value));
                shown.iter_mut().skip(1).for_each(|bars| bars.extend(value.clone()));
            }
        }
        if all.len() < FEW {
            outcome.notes.push(format!("{}: only {} handshakes", loaded.name, all.len()));
        }
        let [browsers, everyone] = shown;
        let title = format!("Two connections of one browser have the same fingerprint, {}", loaded.name);
        outcome.figures.insert(format!("browsers-{place}"), bars(&title, "share of pairs", (0.0, 1.0), &browsers));
        let title = format!("Pairs of connections with the same fingerprint, {}", loaded.name);
        outcome.figures.insert(format!("pairs-{place}"), bars(&title, "share of pairs", (0.0, 1.0), &everyone));
    }
    Ok(outcome)
}

fn resampled(run: &Run<'_>, shakes: &[Shake], figure: &dyn Fn(&[Shake]) -> f64) -> Vec<f64> {
    let draw = |sample: u64| {
        let mut random = Rng::stream(1, 0x57ab_0000 + sample);
        let drawn: Vec<Shake> = (0..shakes.len()).filter_map(|_| shakes.get(random.below(shakes.len())).cloned()).collect();
        figure(&drawn)
    };
    (0..run.plan.bootstrap).map(draw).collect()
}

/// Chance that two different connections out of these agree.
fn agreement(shakes: &[Shake], which: usize) -> f64 {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for shake in shakes {
        *counts.entry(shake.1.get(which).map_or("", String::as_str)).or_default() += 1;
    }
    let two = |n: usize| n * n.saturating_sub(1);
    ratio(counts.values().map(|n| two(*n)).sum(), two(shakes.len()))
}

/// The same over pairs of one client (`same`), or over pairs of different clients.
fn pairs(shakes: &[Shake], which: usize, same: bool) -> f64 {
    let mut by_print: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_client: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_both: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (client, prints) in shakes {
        let print = prints.get(which).map_or("", String::as_str);
        *by_print.entry(print).or_default() += 1;
        *by_client.entry(client).or_default() += 1;
        *by_both.entry((client, print)).or_default() += 1;
    }
    let two = |n: &usize| n * n.saturating_sub(1);
    let agree_within: usize = by_both.values().map(two).sum();
    let within: usize = by_client.values().map(two).sum();
    if same {
        return ratio(agree_within, within);
    }
    let agree: usize = by_print.values().map(two).sum();
    ratio(agree.saturating_sub(agree_within), two(&shakes.len()).saturating_sub(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_by_client() {
        let shake = |client: &str, print: &str| (client.to_owned(), [print.to_owned(), String::new()]);
        let shakes = [shake("a", "x"), shake("a", "x"), shake("a", "y"), shake("b", "x")];
        assert!((agreement(&shakes[..3], 0) - 1.0 / 3.0).abs() < 1e-12);
        assert!((pairs(&shakes, 0, true) - 1.0 / 3.0).abs() < 1e-12);
        assert!((pairs(&shakes, 0, false) - 2.0 / 3.0).abs() < 1e-12);
    }
}
