//! `rehearse`: a session, changed as its client could change it, before the voices.
//!
//! Promises: nothing is written; with `--model`, nothing is fitted. Read next: `crate::rehearse`.

use super::args::SummaryFormat;
use super::args::rehearse::RehearseArgs;
use super::console::Console;
use crate::cycle::settings::Settings;
use crate::error::LabError;
use crate::rehearse::{Rehearsal, voices};
use crate::sessions;

pub fn run(args: &RehearseArgs, console: &Console) -> Result<(), LabError> {
    let settings = Settings::parse(&args.setting)?;
    let store = sessions::open_confined(&args.db)?;
    let rehearsal = Rehearsal::new(&*store, &args.db, &args.session, args.model.as_deref(), &settings)?;
    for note in rehearsal.bench().notes() {
        console.note(note);
    }
    let mut values = rehearsal.measured().values.clone();
    for change in &args.changes {
        rehearsal.apply(&mut values, change)?;
    }
    let after = rehearsal.try_on(values)?;
    let nearest = if args.no_nearest { None } else { rehearsal.nearest(&after.values)? };
    match args.summary {
        SummaryFormat::Text => console.bytes(rehearsal.text(&after, nearest.as_deref()).as_bytes()),
        SummaryFormat::Json => {
            let before = rehearsal.measured();
            let voices: Vec<_> = voices(&before.opinion, &after.opinion)
                .iter()
                .map(|(name, before, after)| serde_json::json!({"voice": name, "measured": before, "changed": after}))
                .collect();
            let json = serde_json::json!({
                "session": rehearsal.session,
                "model_kind": rehearsal.bench().kind().as_str(),
                "model_id": rehearsal.bench().id(),
                "threshold": rehearsal.bench().threshold(),
                "voices": voices,
                "anomalous": {"measured": before.anomalous, "changed": after.anomalous},
                "severity": {"measured": before.opinion.severity, "changed": after.opinion.severity},
                "moved": rehearsal.moved(&after.values),
                "nearest": nearest,
            });
            console.line(&json.to_string())
        }
    }
}
