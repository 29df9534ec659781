//! What a part of the features is worth: all without it, and it alone. Parts are the families of the catalogue, or the techniques of the
//! thesis, which are finer and may share a feature.
//!
//! Promises: the difference to all features is taken on the same draws of the bootstrap, so that its interval is that of a pair.
//!
//! Read next: `sql/features.toml` (the families), `docs/THESIS.md` (the techniques).

use ja4_models::FeatureSet;

use super::{Run, Scores, mean_quality, voice};
use crate::error::LabError;
use crate::experiment::bench::{Ask, Bench, bootstrap};
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Bar, bars};

/// Techniques of the thesis, and the features that carry them.
const TECHNIQUES: &[(&str, &[&str])] = &[
    (
        "coherence of layers",
        &[
            "coherence_score",
            "ua_ja4_mismatch_rate",
            "alpn_mismatch_rate",
            "sni_mismatch_rate",
            "h2_mismatch_rate",
            "hints_mismatch_rate",
            "os_ttl_mismatch_rate",
        ],
    ),
    ("HTTP/2 fingerprint", &["h2_known_share", "h2_population_share", "h2_mismatch_rate", "http2_share"]),
    ("bipartite graph", &["ips_per_ja4", "user_agents_per_ja4", "ja4s_per_ip", "user_agents_per_ip"]),
    ("Jaccard across sites", &["path_jaccard_hosts", "hosts_per_ip"]),
    (
        "resource cascade",
        &[
            "page_cascade_share",
            "cascade_delay_median_ms",
            "asset_share",
            "assets_per_page",
            "asset_referer_rate",
            "asset_kinds",
            "asset_repeat_share",
            "agent_asset_share",
        ],
    ),
    ("header order", &["header_orders", "header_orders_share", "header_order_family_share"]),
    ("share of the population", &["ja4_family_share", "header_order_family_share", "h2_population_share", "ua_version_lag"]),
    (
        "chain of Referers",
        &[
            "referer_rate",
            "referer_own_share",
            "page_referer_follows_share",
            "page_referer_repeat_share",
            "fetch_site_none_page_share",
        ],
    ),
    ("new JA3 for each connection", &["ja3_per_connection"]),
];

/// A part by name: its features, and the others.
type Part = (String, FeatureSet, FeatureSet);

pub(super) fn families(run: &Run<'_>) -> Result<Outcome, LabError> {
    ablate(run, "family", |bench| {
        let part = |family: String| {
            let own = bench.features(|name| name == family)?;
            let others = bench.features(|name| name != family)?;
            Ok((family, own, others))
        };
        bench.families().into_iter().map(part).collect()
    })
}

pub(super) fn techniques(run: &Run<'_>) -> Result<Outcome, LabError> {
    ablate(run, "technique", |bench| {
        let part = |(name, features): &(&str, &[&str])| {
            let own = bench.named(|feature| features.contains(&feature))?;
            let others = bench.named(|feature| !features.contains(&feature))?;
            Ok(((*name).to_owned(), own, others))
        };
        TECHNIQUES.iter().map(part).collect()
    })
}

fn ablate(run: &Run<'_>, what: &str, parts: impl Fn(&Bench) -> Result<Vec<Part>, LabError>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for (place, data) in run.plan.data.iter().enumerate() {
        let loaded = run.places.usual(data, &place.to_string())?;
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        let rows: Vec<usize> = (0..bench.rows()).collect();
        (run.tell)("all features");
        let all = run.cross(&bench, &Ask::default())?;
        let together = voice("together");
        let arm = format!("{} / nothing / without", loaded.name);
        run.measure(&mut outcome, &arm, &bench, &rows, &all, together);
        run.keep(&mut outcome, &arm, &bench, &rows, &all);
        let mut shown = Vec::new();
        for (part, own, others) in parts(&bench)? {
            (run.tell)(&format!("{what} {part}"));
            let without = run.cross(&bench, &Ask { features: Some(&others), ..Ask::default() })?;
            let arm = format!("{} / {part} / without", loaded.name);
            run.measure(&mut outcome, &arm, &bench, &rows, &without, together);
            if let Some((loss, interval)) = difference(run, &bench, &all, &without) {
                let bots = bench.bot.iter().filter(|bot| **bot).count();
                outcome.push(&arm, "auroc_lost_without", loss, interval, bots.min(bench.rows().saturating_sub(bots)));
                shown.extend(outcome.value(&arm, "auroc_lost_without").map(|value| Bar::of(&part, value)));
            }
            let alone = run.cross(&bench, &Ask { features: Some(&own), ..Ask::default() })?;
            run.measure(&mut outcome, &format!("{} / {part} / alone", loaded.name), &bench, &rows, &alone, together);
        }
        let title = format!("AUROC lost when a {what} is left out, {}", loaded.name);
        let reach = shown
            .iter()
            .flat_map(|bar| [bar.value.abs(), bar.interval.map_or(0.0, |[low, high]| low.abs().max(high.abs()))])
            .fold(0.01, f64::max);
        outcome.figures.insert(format!("lost-{place}"), bars(&title, "difference of AUROC", (-reach, reach), &shown));
    }
    Ok(outcome)
}

/// AUROC of `all` less that of `without`, with the interval of the pair.
fn difference(run: &Run<'_>, bench: &Bench, all: &Scores, without: &Scores) -> Option<(f64, Option<[f64; 2]>)> {
    let cases: Vec<(usize, bool)> = bench.bot.iter().copied().enumerate().collect();
    let together = voice("together");
    let loss =
        |drawn: &[(usize, bool)]| Some(mean_quality(drawn, all, together)?.auroc - mean_quality(drawn, without, together)?.auroc);
    Some((loss(&cases)?, bootstrap(&cases, run.plan.bootstrap, 1, loss)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, ModelKind};

    #[test]
    fn every_technique_has_its_features_in_the_catalogue() {
        let catalogue = Catalogue::load().unwrap();
        let known: Vec<&str> = catalogue.for_model(ModelKind::Complete).map(|feature| feature.name.as_str()).collect();
        for (technique, features) in TECHNIQUES {
            for feature in *features {
                assert!(known.contains(feature), "{technique}: the models see no feature {feature}");
            }
        }
    }
}
