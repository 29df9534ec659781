//! Reports: one HTML file that needs nothing else, for a database or for the folder of an experiment.
//!
//! Promises: no script, no style, picture or font from elsewhere; every text from outside is escaped; the same input gives the same bytes.
//!
//! Read next: `html.rs` (the page), `svg.rs` (the figures), `database.rs` (what a database tells).

mod database;
mod html;
pub mod svg;

pub use self::database::of_database;
use self::html::Page;
use crate::experiment::compare::shown;
use crate::experiment::folder::Kept;

/// The page of an experiment.
#[must_use]
pub fn of_experiment(kept: &Kept) -> String {
    let manifest = &kept.manifest;
    let mut page = Page::new(&format!("Experiment {}", manifest.name));
    page.paragraph(&manifest.question);
    page.section("Figures");
    for (name, figure) in &kept.figures {
        // A figure is only put in as it is where it is nothing but the shapes and texts that svg.rs writes.
        if svg::is_ours(figure) {
            page.figure(figure);
        } else {
            page.paragraph(&format!("figures/{name}.svg was changed since it was written and is left out"));
        }
    }
    page.section("Results");
    page.paragraph("Brackets hold the 95 % interval of a bootstrap over sessions; cases are those of the rarer class.");
    let rows: Vec<Vec<String>> = kept
        .values
        .iter()
        .filter(|value| !value.measured)
        .map(|value| vec![value.arm.clone(), value.metric.clone(), shown(value), value.cases.to_string()])
        .collect();
    page.table(&["arm", "figure", "value", "cases"], &rows, "There are no results.");
    let measured: Vec<Vec<String>> = kept
        .values
        .iter()
        .filter(|value| value.measured)
        .map(|value| vec![value.arm.clone(), value.metric.clone(), shown(value)])
        .collect();
    if !measured.is_empty() {
        page.section("Measured in this run");
        page.paragraph("Times and memory of this machine at that moment; another run need not repeat them.");
        page.table(&["arm", "figure", "value"], &measured, "");
    }
    page.section("Notes");
    page.list(&manifest.notes);
    page.section("How it was made");
    let mut facts = vec![
        vec!["plan (SHA-256)".to_owned(), manifest.plan_sha256.clone()],
        vec!["metrics digest".to_owned(), manifest.metrics_digest.clone()],
        vec!["predictions digest".to_owned(), manifest.predictions_digest.clone()],
        vec!["predictions".to_owned(), manifest.predictions.to_string()],
        vec!["program".to_owned(), format!("ja4-lab {}, SHA-256 {}", manifest.version, manifest.program_sha256)],
        vec!["features (SHA-256 of names)".to_owned(), manifest.features_sha256.clone()],
        vec!["seeds".to_owned(), manifest.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")],
        vec![
            "machine".to_owned(),
            format!(
                "{}, {}, {} cores, {} threads",
                manifest.machine.platform, manifest.machine.processor, manifest.machine.cores, manifest.machine.threads
            ),
        ],
        vec!["finished".to_owned(), format!("{}, after {:.1} s", manifest.finished, manifest.seconds)],
    ];
    facts.extend(manifest.data.iter().map(|(name, digest)| vec![format!("rows of {name}"), digest.clone()]));
    page.table(&["what", "value"], &facts, "");
    page.paragraph("Run it again and compare: ja4-lab experiment repro FOLDER");
    page.finish()
}
