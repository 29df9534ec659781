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
use crate::experiment::plan::Kind;

/// What is done in an experiment of a kind, in a sentence or two.
fn method(kind: Kind) -> &'static str {
    match kind {
        Kind::Stability => {
            "Stability is the chance that two different connections of one client have the same fingerprint, collision that two of different \
             clients do."
        }
        Kind::Ablation => {
            "All voices learn again without each family of features, and with it alone. A loss is taken on the same draws as the whole."
        }
        Kind::Techniques => {
            "All voices learn again without the features of each technique, and with them alone. Techniques may share a feature."
        }
        Kind::Explanations => {
            "The features that an explanation puts first are set to the median of people, and as many drawn by lot in another copy. A value is the \
             part of the way from the program's score to the median of people's that goes with them."
        }
        Kind::Voices => {
            "Each voice, the fixed weights (together) and the logistic regression (meta) on the same parts of the same sessions."
        }
        Kind::Unseen => "Each kind of client is left out of training in turn and scored beside people who were left out too.",
        Kind::Impersonators => {
            "A forest that learned from people alone sees the features of one layer alone. Below 0.5 a program looks more ordinary than people."
        }
        Kind::Drift => {
            "A model of the first week is kept, or fitted again each week on the week before or on all weeks before. Thresholds are what five in a \
             hundred people reached: for the kept model in its second week, else in the week before."
        }
        Kind::Groups => {
            "Sessions grouped by what they share, and by the product, against the campaigns that made them: adjusted Rand index (1 the same, 0 \
             chance) and purity (share of sessions that are of the most frequent campaign of their group)."
        }
        Kind::Join => {
            "Precision is the share of joins that are right by the labels, recall the share of requests that are joined rightly. One of window, \
             clock, loss and kind of log is varied at a time."
        }
        Kind::Cost => "The forest grows; seconds and memory are measured beside the accuracy.",
        Kind::Contamination => {
            "Programs are put among the sessions that forest and autoencoder take for ordinary; none of these is scored."
        }
    }
}

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
    page.paragraph(
        "Brackets hold the 95 % interval of a bootstrap over sessions (connections, requests), each class drawn apart: they cover the sampling of \
         sessions, not the choice of clients. Cases are those of the rarer class.",
    );
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
    page.section("What to keep in mind");
    page.paragraph(if manifest.notes.is_empty() {
        "The run noted nothing."
    } else {
        "Samples that are small, and what was left out:"
    });
    page.list(&manifest.notes);
    page.section("Methods");
    page.paragraph(method(manifest.kind));
    page.paragraph(
        "Where models learn, people are dealt into parts by address and programs by client: neither is scored by a model that saw it. Techniques, \
         formulas and references stand in docs/THESIS.md, data sets in docs/DATASETS.md, features in docs/FEATURES.md.",
    );
    page.section("The plan");
    page.verbatim(&kept.plan);
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
