//! `evaluate`: how well scores separate programs from people where the truth is known.
//!
//! Promises: the database is opened read-only; what is stored is measured first, then kinds held out of training.
//!
//! Read next: `crate::evaluate`.

use super::args::{EvaluateArgs, SummaryFormat};
use super::console::Console;
use crate::cycle::settings::Settings;
use crate::cycle::{self, CyclePlan};
use crate::error::LabError;
use crate::evaluate::{self, Report, Truths};
use crate::sessions;

pub fn run(args: &EvaluateArgs, console: &Console) -> Result<(), LabError> {
    let settings = Settings::parse(&args.settings)?;
    let store = sessions::open_confined(&args.db)?;
    let frame = cycle::read_frame(&*store, &CyclePlan::default())?;
    if frame.sessions() == 0 {
        return Err(LabError::Ask(format!("evaluate: {}", sessions::why_empty(&*store, None)?)));
    }
    let truths = Truths::read(&*store, &frame, &args.labels, args.by.into())?;
    match evaluate::as_stored(&*store, &frame, &truths) {
        Ok(report) => print("stored scores", "stored", &report, args.format, console)?,
        Err(error) if args.stored => return Err(error),
        Err(error) => console.note(&error.to_string()),
    }
    if args.stored {
        return Ok(());
    }
    let bar = console.bar(0, "leaving one kind out after the other");
    let report = evaluate::leave_one_out(&frame, &truths, &settings);
    bar.finish_and_clear();
    print("each kind scored by models that never saw it", "held_out", &report?, args.format, console)
}

fn print(title: &str, name: &str, report: &Report, format: SummaryFormat, console: &Console) -> Result<(), LabError> {
    if format == SummaryFormat::Json {
        return console.line(&serde_json::json!({ "evaluation": name, "report": report }).to_string());
    }
    console.line(&format!("{title}\n{}\n", report.text()))
}
