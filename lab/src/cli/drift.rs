//! `drift`: features, scores and labels of now against a reference, and what to do about it.
//!
//! Promises: figures are written unless `--dry-run`; the decision is the last line on stdout of a table, and a note with other forms.
//!
//! Read next: `crate::drift`.

use super::args::RowFormat;
use super::args::operation::DriftArgs;
use super::ask::open_to_change;
use super::console::Console;
use super::score::parse_span;
use crate::drift::{self, DriftPlan, DriftReport};
use crate::error::LabError;
use crate::registry::Registry;
use crate::rows::Columns;
use crate::sessions;

pub fn run(args: &DriftArgs, threads: usize, console: &Console) -> Result<(), LabError> {
    let store = if args.dry_run { sessions::open_confined(&args.db)? } else { open_to_change(&args.db, threads)? };
    let clock_ns = Console::now_ns();
    let named = (args.reference.as_deref().map(parse_span).transpose()?, args.now.as_deref().map(parse_span).transpose()?);
    let mut plan = match named {
        (Some(reference), Some(now)) => {
            DriftPlan { reference, now, limits: ja4_models::drift::DriftLimits::default(), model_created_ns: None, clock_ns }
        }
        _ => DriftPlan::newest(&*store, clock_ns)?,
    };
    plan.reference = named.0.unwrap_or(plan.reference);
    plan.now = named.1.unwrap_or(plan.now);
    let registry = Registry::new(&args.models);
    let current = registry.current()?.current;
    if !current.is_empty() {
        plan.model_created_ns = Some(registry.show(&current)?.created_ns);
    }
    let report = drift::run(&*store, &plan)?;
    if !args.dry_run {
        drift::record(&*store, &plan, &report)?;
        store.checkpoint()?;
    }
    print(&report, args.format, console)
}

fn print(report: &DriftReport, format: RowFormat, console: &Console) -> Result<(), LabError> {
    let tables = report
        .features
        .iter()
        .map(|(kind, table)| (kind.as_str(), table))
        .chain(report.scores.iter().map(|table| ("scores", table)));
    let mut lines: Vec<_> = tables.flat_map(|(kind, table)| table.columns.iter().map(move |column| (kind, column))).collect();
    // Everything for programs; for people what drifted, and otherwise the ten that moved most.
    lines.sort_by(|a, b| b.1.drifted.cmp(&a.1.drifted).then(b.1.psi.total_cmp(&a.1.psi)).then_with(|| a.1.name.cmp(&b.1.name)));
    if format == RowFormat::Table {
        let drifted = lines.iter().filter(|(_, column)| column.drifted).count();
        lines.truncate(drifted.max(10));
    }
    let batch = Columns::new()
        .text("sessions", lines.iter().map(|(kind, _)| *kind))
        .text("feature", lines.iter().map(|(_, column)| &column.name))
        .text("drifted", lines.iter().map(|(_, column)| if column.drifted { "yes" } else { "" }))
        .float("median_then", lines.iter().map(|(_, column)| column.then[4]))
        .float("median_now", lines.iter().map(|(_, column)| column.now[4]))
        .float("shift", lines.iter().map(|(_, column)| column.shift))
        .float("ks", lines.iter().map(|(_, column)| column.ks))
        .float("p", lines.iter().map(|(_, column)| column.p))
        .float("psi", lines.iter().map(|(_, column)| column.psi))
        .float("kl", lines.iter().map(|(_, column)| column.kl))
        .batch()?;
    console.rows(&[batch], format)?;
    let text = format!("{}: {}", report.decision.as_str(), report.reasons.join("; "));
    if format == RowFormat::Table {
        return console.line(&crate::render::visible(&text));
    }
    console.note(&text);
    Ok(())
}
