//! `rules`: a policy into the database, what is there, and what it would have done.
//!
//! Promises: every rule that was not taken is named on stderr; testing changes nothing.
//!
//! Read next: `crate::rules`.

use std::collections::BTreeMap;
use std::path::Path;

use ja4_replay::store::{self, OpenOptions};

use super::args::RulesCommand;
use super::console::Console;
use crate::error::LabError;
use crate::render::visible;
use crate::rules::{self, Action, Policy};
use crate::sessions;

/// A policy larger than this is none.
const MOST_BYTES: u64 = 16 << 20;

pub fn run(command: &RulesCommand, console: &Console) -> Result<(), LabError> {
    match command {
        RulesCommand::Import { file, db } => import(file, db, console),
        RulesCommand::List { db } => list(db, console),
        RulesCommand::Test { db, policy, weight } => test(db, policy.as_deref(), *weight, console),
    }
}

fn import(file: &Path, db: &Path, console: &Console) -> Result<(), LabError> {
    let policy = read(file, console)?;
    if policy.rules.is_empty() {
        return Err(LabError::Ask(format!("rules: {} holds no rule that can be applied; nothing was changed", file.display())));
    }
    if !db.exists() {
        sessions::open_confined(db)?;
    }
    let mut store = store::open(db, &OpenOptions { now_ns: Console::now_ns(), ..OpenOptions::default() })?;
    store.migrate()?;
    let source = file.file_name().map_or_else(|| "policy".into(), |name| name.to_string_lossy());
    rules::save(&*store, &policy.rules, &source)?;
    store.checkpoint()?;
    console.line(&format!("imported  {} rules, {} left out; `ja4-lab score` uses them", policy.rules.len(), policy.skipped.len()))
}

fn list(db: &Path, console: &Console) -> Result<(), LabError> {
    let found = rules::load(&*sessions::open_confined(db)?)?;
    if found.is_empty() {
        console.note("no policy is imported: `ja4-lab rules import FILE --db DB` takes one");
    }
    for (place, rule) in (1..).zip(&found) {
        let weight = if rule.action == Action::Weigh { format!(" {:+}", rule.weight) } else { String::new() };
        console.line(&format!("{place:>4}  {}{weight}  {}", rule.action.as_str(), visible(&rule.name)))?;
        for condition in &rule.conditions {
            let field = if condition.field.is_empty() { String::new() } else { format!(" {}", condition.field) };
            console.line(&format!("        {}{field}: {}", condition.kind, visible(&condition.pattern)))?;
        }
    }
    Ok(())
}

fn test(db: &Path, policy: Option<&Path>, weight: i64, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(db)?;
    let rules = match policy {
        Some(file) => read(file, console)?.rules,
        None => rules::load(&*store)?,
    };
    if rules.is_empty() {
        return Err(LabError::Ask("rules: there are no rules to test; import a policy or name one with --policy".to_owned()));
    }
    let tested = rules::sessions(&*store, &rules, i64::MIN / 2, i64::MAX / 2, weight)?;
    if tested.requests == 0 {
        console.note(&sessions::why_empty(&*store, None)?);
    }
    console.line(&format!("{:<10} {:>9} {:>9}  rule", "action", "requests", "sessions"))?;
    for rule in &tested.rules {
        console.line(&format!(
            "{:<10} {:>9} {:>9}  {}",
            rule.action.as_str(),
            rule.requests,
            rule.sessions,
            visible(&rule.name)
        ))?;
    }
    let mut verdicts: BTreeMap<&str, u64> = BTreeMap::new();
    for verdict in tested.sessions.values() {
        *verdicts.entry(verdict.action.map_or("no rule", Action::as_str)).or_default() += 1;
    }
    let told: Vec<String> = verdicts.iter().map(|(action, sessions)| format!("{action} {sessions}")).collect();
    console.line(&format!("sessions   {}", if told.is_empty() { "none".to_owned() } else { told.join(", ") }))
}

fn read(file: &Path, console: &Console) -> Result<Policy, LabError> {
    let size = std::fs::metadata(file).map_err(LabError::io("read policy", file))?.len();
    if size > MOST_BYTES {
        return Err(LabError::Ask(format!("rules: {} has {size} bytes; a policy has at most {MOST_BYTES}", file.display())));
    }
    let bytes = std::fs::read(file).map_err(LabError::io("read policy", file))?;
    let text = String::from_utf8(bytes).map_err(|_| LabError::Ask(format!("rules: {} is not text in UTF-8", file.display())))?;
    let policy = rules::parse(&text).map_err(|why| LabError::Ask(format!("rules: {}: {why}", file.display())))?;
    for reason in &policy.skipped {
        console.note(reason);
    }
    Ok(policy)
}
