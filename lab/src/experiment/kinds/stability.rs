//! JA3 against JA4: does one client keep its fingerprint from connection to connection, and do different clients share one?
//!
//! Promises: stability is the chance that two connections of one client agree, collision that two of different clients do; both without
//! a model. Intervals by bootstrap over connections; a connection that is drawn twice is no pair with itself, which would always agree.
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
                let stable = |times: &[usize]| agreement(shakes, times, which);
                let spread = interval(resampled(run.plan.bootstrap, shakes.len(), &stable));
                outcome.push(&arm, &format!("{name}_stability"), stable(&once(shakes)), spread, shakes.len());
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
            let stable = |times: &[usize]| pairs(&all, times, which, true);
            let shared = |times: &[usize]| pairs(&all, times, which, false);
            for (metric, figure) in [("stability", &stable as &dyn Fn(&[usize]) -> f64), ("collision", &shared)] {
                let spread = interval(resampled(run.plan.bootstrap, all.len(), figure));
                outcome.push(&arm, &format!("{name}_{metric}"), figure(&once(&all)), spread, all.len());
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

/// How often each connection counts: once.
fn once(shakes: &[Shake]) -> Vec<usize> {
    vec![1; shakes.len()]
}

/// The figure on draws with replacement, given as how often each of `n` connections was drawn.
fn resampled(samples: u64, n: usize, figure: &dyn Fn(&[usize]) -> f64) -> Vec<f64> {
    let draw = |sample: u64| {
        let mut random = Rng::stream(1, 0x57ab_0000 + sample);
        let mut times = vec![0_usize; n];
        for _ in 0..n {
            if let Some(times) = times.get_mut(random.below(n)) {
                *times += 1;
            }
        }
        figure(&times)
    };
    (0..samples).map(draw).collect()
}

/// Ordered pairs of different connections, each counted as often as both were drawn: square of the sum less sum of the squares.
#[derive(Debug, Clone, Copy, Default)]
struct Pairs {
    sum: usize,
    squares: usize,
}

impl Pairs {
    fn add(&mut self, times: usize) {
        self.sum += times;
        self.squares += times * times;
    }

    fn count(self) -> usize {
        (self.sum * self.sum).saturating_sub(self.squares)
    }
}

/// Chance that two different connections out of these agree.
fn agreement(shakes: &[Shake], times: &[usize], which: usize) -> f64 {
    let (mut all, mut by_print) = (Pairs::default(), BTreeMap::<&str, Pairs>::new());
    for (shake, times) in shakes.iter().zip(times) {
        all.add(*times);
        by_print.entry(shake.1.get(which).map_or("", String::as_str)).or_default().add(*times);
    }
    ratio(by_print.values().map(|pairs| pairs.count()).sum(), all.count())
}

/// The same over pairs of one client (`same`), or over pairs of different clients.
fn pairs(shakes: &[Shake], times: &[usize], which: usize, same: bool) -> f64 {
    let mut all = Pairs::default();
    let (mut by_print, mut by_client) = (BTreeMap::<&str, Pairs>::new(), BTreeMap::<&str, Pairs>::new());
    let mut by_both: BTreeMap<(&str, &str), Pairs> = BTreeMap::new();
    for ((client, prints), times) in shakes.iter().zip(times) {
        let print = prints.get(which).map_or("", String::as_str);
        all.add(*times);
        by_print.entry(print).or_default().add(*times);
        by_client.entry(client).or_default().add(*times);
        by_both.entry((client, print)).or_default().add(*times);
    }
    let count = |pairs: &Pairs| pairs.count();
    let agree_within: usize = by_both.values().map(count).sum();
    let within: usize = by_client.values().map(count).sum();
    if same {
        return ratio(agree_within, within);
    }
    let agree: usize = by_print.values().map(count).sum();
    ratio(agree.saturating_sub(agree_within), all.count().saturating_sub(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shake(client: &str, print: &str) -> Shake {
        (client.to_owned(), [print.to_owned(), String::new()])
    }

    #[test]
    fn pairs_are_counted_by_client() {
        let shakes = [shake("a", "x"), shake("a", "x"), shake("a", "y"), shake("b", "x")];
        assert!((agreement(&shakes[..3], &[1; 3], 0) - 1.0 / 3.0).abs() < 1e-12);
        assert!((pairs(&shakes, &[1; 4], 0, true) - 1.0 / 3.0).abs() < 1e-12);
        assert!((pairs(&shakes, &[1; 4], 0, false) - 2.0 / 3.0).abs() < 1e-12);
        // Drawn twice, a connection is two for others and no pair with itself.
        assert!((agreement(&shakes[..3], &[2, 0, 1], 0) - 0.0).abs() < 1e-12);
        assert!((agreement(&shakes[..3], &[2, 1, 0], 0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_interval_lies_around_the_value() {
        // A client that sends a new fingerprint each time agrees with itself never, and the same in every draw.
        let restless: Vec<Shake> = (0..50).map(|n| shake("a", &n.to_string())).collect();
        assert_eq!(interval(resampled(200, 50, &|times| agreement(&restless, times, 0))), Some([0.0, 0.0]));
        // One of twenty kinds at random: the mean of the draws is the value, within what 400 draws of 100 connections can show.
        let mut random = Rng::stream(7, 1);
        let many: Vec<Shake> = (0..100).map(|_| shake("a", &random.below(20).to_string())).collect();
        let value = agreement(&many, &once(&many), 0);
        let draws = resampled(400, many.len(), &|times| agreement(&many, times, 0));
        let mean = draws.iter().sum::<f64>() / 400.0;
        assert!((mean - value).abs() < 0.002, "{mean} {value}");
        let [low, high] = interval(draws).unwrap();
        assert!(low < value && value < high);
    }
}
