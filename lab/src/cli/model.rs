//! `model`: the versions kept, compared, carried away, taken into use.
//!
//! Promises: only `fit` writes scores; the clock is read here. Read next: `crate::registry`.

use std::path::Path;

use super::args::RowFormat;
use super::args::operation::ModelCommand;
use super::ask::open_to_change;
use super::console::Console;
use super::score::parse_time;
use crate::cycle::CyclePlan;
use crate::cycle::settings::Settings;
use crate::error::LabError;
use crate::registry::{self, Judges, Manifest, Registry};
use crate::rows::Columns;
use crate::sessions;

pub fn run(command: &ModelCommand, threads: usize, console: &Console) -> Result<(), LabError> {
    match command {
        ModelCommand::Fit { registry, db, name, from, to, settings } => {
            let plan = CyclePlan {
                settings: Settings::parse(settings)?,
                from_ms: from.as_deref().map(parse_time).transpose()?,
                to_ms: to.as_deref().map(parse_time).transpose()?,
                ..CyclePlan::default()
            };
            fit(&Registry::new(&registry.models), db, name, &plan, threads, console)
        }
        ModelCommand::List { registry, format } => list(&Registry::new(&registry.models), *format, console),
        ModelCommand::Show { registry, id } => show(&Registry::new(&registry.models), id.as_deref(), console),
        ModelCommand::Diff { registry, a, b, db, top, format } => {
            diff(&Registry::new(&registry.models), [a, b], db, *top, *format, console)
        }
        ModelCommand::Export { registry, id, output } => {
            let bytes = Registry::new(&registry.models).export(id, output)?;
            console.line(&format!("wrote {bytes} bytes to {}", output.display()))
        }
        ModelCommand::Import { registry, from } => import(&Registry::new(&registry.models), from, console),
        ModelCommand::Promote { registry, id, db, holdout_from } => {
            let registry = Registry::new(&registry.models);
            if let (Some(db), Some(from)) = (db, holdout_from) {
                let contest = registry.contest(&*sessions::open_confined(db)?, id, parse_time(from)?, Judges::Analysts)?;
                if !contest.takes_over {
                    return Err(LabError::Ask(format!("model promote: {}", contest.reason)));
                }
                console.note(&contest.reason);
            }
            console.line(&format!("in use: {}", registry.promote(id)?.current))
        }
        ModelCommand::Rollback { registry } => {
            let now = Registry::new(&registry.models).rollback()?;
            console.line(&format!("in use: {}", now.current))
        }
    }
}

fn fit(registry: &Registry, db: &Path, name: &str, plan: &CyclePlan, threads: usize, console: &Console) -> Result<(), LabError> {
    if !name.is_empty() {
        crate::audit::check_name("--name", name)?;
    }
    let store = open_to_change(db, threads)?;
    let (id, report) = registry.fit(&*store, plan, name, "", Console::now_ns())?;
    for note in &report.notes {
        console.note(note);
    }
    let Some(id) = id else {
        return Err(LabError::Ask(format!("model fit: {} holds no session to learn from in this time range", db.display())));
    };
    console.line(&format!("kept {id} in {}; `ja4-lab model promote {id}` takes it into use", registry.root().display()))
}

fn list(registry: &Registry, format: RowFormat, console: &Console) -> Result<(), LabError> {
    let (versions, damaged) = registry.list()?;
    for sentence in &damaged {
        console.note(sentence);
    }
    if versions.is_empty() {
        console.note(&format!("{} holds no model: `ja4-lab model fit --db DB` keeps one", registry.root().display()));
    }
    let current = registry.current()?.current;
    let of = |f: fn(&Manifest) -> String| versions.iter().map(f).collect::<Vec<_>>();
    let when = |ns: i64| jiff::Timestamp::from_nanosecond(i128::from(ns)).map(|time| time.strftime("%Y-%m-%d %H:%M").to_string());
    let batch = Columns::new()
        .text("id", of(|version| version.id.clone()))
        .text("in_use", versions.iter().map(|version| if version.id == current { "yes" } else { "" }))
        .text("name", of(|version| version.name.clone()))
        .text("kept", versions.iter().map(|version| when(version.created_ns).unwrap_or_default()))
        .int("sessions", versions.iter().map(|version| i64::try_from(version.data.sessions).unwrap_or(i64::MAX)))
        .text(
            "models",
            of(|version| {
                version.models.iter().map(|model| model.file.trim_end_matches(".ja4model")).collect::<Vec<_>>().join(", ")
            }),
        )
        .text("program", of(|version| version.program.clone()))
        .batch()?;
    console.rows(&[batch], format)
}

fn show(registry: &Registry, id: Option<&str>, console: &Console) -> Result<(), LabError> {
    let id = match id {
        Some(id) => id.to_owned(),
        None => registry.current()?.current,
    };
    if id.is_empty() {
        return Err(LabError::Ask("model show: no model is in use; name one of `ja4-lab model list`".to_owned()));
    }
    console.line(&crate::render::visible_lines(&registry.show(&id)?.to_json()))
}

fn diff(
    registry: &Registry,
    ids: [&str; 2],
    db: &Path,
    top: usize,
    format: RowFormat,
    console: &Console,
) -> Result<(), LabError> {
    let [a, b] = ids;
    let (a, b) = (registry.checked_folder(a)?, registry.checked_folder(b)?);
    let store = sessions::open_confined(db)?;
    let (compared, changes) = registry::diff(&*store, [&a, &b], top)?;
    if changes.is_empty() {
        console.note(&format!("no session of {compared} changes its rank"));
    }
    let place = |rank: usize| i64::try_from(rank).unwrap_or(i64::MAX);
    let word = |anomalous: bool| if anomalous { "anomalous" } else { "ordinary" };
    let batch = Columns::new()
        .text("session_id", changes.iter().map(|change| &change.session_id))
        .text("src_ip", changes.iter().map(|change| &change.src_ip))
        .text("host", changes.iter().map(|change| &change.host))
        .int("rank_a", changes.iter().map(|change| place(change.rank.0)))
        .int("rank_b", changes.iter().map(|change| place(change.rank.1)))
        .float("score_a", changes.iter().map(|change| change.score.0))
        .float("score_b", changes.iter().map(|change| change.score.1))
        .text("verdict_a", changes.iter().map(|change| word(change.anomalous.0)))
        .text("verdict_b", changes.iter().map(|change| word(change.anomalous.1)))
        .text("feature", changes.iter().map(|change| &change.feature))
        .float("value", changes.iter().map(|change| change.value))
        .float("part_changed_by", changes.iter().map(|change| change.by))
        .batch()?;
    console.rows(&[batch], format)
}

fn import(registry: &Registry, from: &Path, console: &Console) -> Result<(), LabError> {
    let id = if from.is_dir() {
        let files = registry::files_in(from)?;
        let note = format!("imported from the folder {}", from.display());
        registry.add(Manifest { created_ns: Console::now_ns(), note, ..Manifest::default() }, &files)?
    } else {
        registry.import(from)?
    };
    console.line(&format!("kept {id} in {}", registry.root().display()))
}
