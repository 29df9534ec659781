//! Which layer gives an impersonator away: for each population of programs, how far features of one layer alone set it apart from people.
//!
//! Promises: models learn from people only, so that no layer is learned from the impersonators themselves.
//!
//! Read next: `datasets/scenarios/adversary.toml`.

use std::collections::BTreeSet;

use super::{Run, voice};
use crate::error::LabError;
use crate::experiment::bench::{Ask, Bench};
use crate::experiment::outcome::Outcome;
use crate::report::svg::heat;

/// Layers and the families of features that see them.
const LAYERS: &[(&str, &[&str])] = &[
    ("TCP", &["tcp"]),
    ("TLS", &["tls"]),
    ("headers", &["headers", "methods"]),
    ("claims against facts", &["claims", "coherence"]),
    ("assets", &["cascade"]),
    ("paths and answers", &["paths", "status", "sizes", "brute_force"]),
    ("rhythm", &["rhythm"]),
    ("addresses", &["rotation"]),
    ("everything", &[]),
];

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for (place, data) in run.plan.data.iter().enumerate() {
        let loaded = run.places.usual(data, &place.to_string())?;
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        let group = |row: usize| {
            let truth = bench.truth.get(row);
            truth.map_or(
                String::new(),
                |truth| if truth.population.is_empty() { truth.name.clone() } else { truth.population.clone() },
            )
        };
        let wanted = |row: &usize| {
            let truth = bench.truth.get(*row);
            bench.bot.get(*row) == Some(&true)
                && truth.is_some_and(|truth| {
                    !truth.population.is_empty() || ["impersonator", "automated_browser"].contains(&truth.kind.as_str())
                })
        };
        let groups: BTreeSet<String> = (0..bench.rows()).filter(wanted).map(group).collect();
        let mut cells = Vec::new();
        for (layer, families) in LAYERS {
            (run.tell)(layer);
            let features = bench.features(|family| families.is_empty() || families.contains(&family));
            // A log without HTTP/2 settings, or a plan with few families, may have nothing of a layer.
            let Ok(features) = features else { continue };
            let scores = run.cross(&bench, &Ask { features: Some(&features), unlabelled: true, ..Ask::default() })?;
            for name in &groups {
                let rows: Vec<usize> = (0..bench.rows())
                    .filter(|row| bench.bot.get(*row) == Some(&false) || (wanted(row) && group(*row) == *name))
                    .collect();
                let arm = format!("{} / {name} / {layer}", loaded.name);
                run.measure(&mut outcome, &arm, &bench, &rows, &scores, voice("forest"));
                if *layer == "everything" {
                    run.keep(&mut outcome, &arm, &bench, &rows, &scores);
                }
                cells.push((name.clone(), (*layer).to_owned(), outcome.value(&arm, "auroc").map(|value| value.value)));
            }
        }
        let title = format!("AUROC against people by one layer alone (forest fitted on people), {}", loaded.name);
        outcome.figures.insert(format!("layers-{place}"), heat(&title, &cells));
    }
    Ok(outcome)
}
