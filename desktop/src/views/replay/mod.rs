//! Replay: captures and logs into a database, as fast as possible or at a multiple of the recorded speed, with pause and step.
//!
//! Promises: the results are those of `ja4-lab replay`, and the digests shown are the ones it prints; stopping keeps what was stored.
//!
//! Read next: `../../shell/jobs.rs`.

use std::path::PathBuf;

use eframe::egui::{self, RichText};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::shell::action::Action;
use crate::shell::jobs::ReplayJob;
use crate::widgets::text;

/// The view.
#[derive(Debug)]
pub struct Replay {
    files: String,
    speed: f64,
    fastest: bool,
}

impl Default for Replay {
    fn default() -> Self {
        Self { files: String::new(), speed: 60.0, fastest: true }
    }
}

const ID: &str = "replay";

/// Where the view finds what a finished replay said.
pub const SUMMARY: &str = "replay summary";

impl View for Replay {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Replay"
    }

    fn icon(&self) -> &'static str {
        "▶"
    }

    fn about(&self) -> &'static str {
        "Open captures and logs, play, pause, step; the same rows and scores as the command line gives."
    }

    fn queries(&self, _need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        Vec::new()
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let label = ui.label("Captures and logs, one a line (or drop them on the window)");
        let edit = egui::TextEdit::multiline(&mut self.files)
            .desired_rows(3)
            .desired_width(f32::INFINITY)
            .hint_text("/path/to/capture.pcapng\n/path/to/access.log");
        ui.add(edit).labelled_by(label.id);
        ui.horizontal_wrapped(|ui| {
            ui.checkbox(&mut self.fastest, "as fast as possible");
            let slider = egui::Slider::new(&mut self.speed, 1.0..=1000.0).logarithmic(true).suffix("×").text("speed");
            let moved = ui.add_enabled(!self.fastest, slider).changed() || self.fastest;
            if let (true, Some(job)) = (moved, cx.job) {
                job.control.set_speed(self.speed());
            }
        });
        match cx.job {
            None => {
                let files: Vec<PathBuf> =
                    self.files.lines().map(str::trim).filter(|line| !line.is_empty()).map(PathBuf::from).collect();
                if ui.add_enabled(!files.is_empty(), egui::Button::new("Play")).clicked() {
                    cx.out.push(Action::Replay { files, speed: self.speed() });
                }
                let summary = ui.ctx().data(|data| data.get_temp::<String>(egui::Id::unique(SUMMARY)));
                match summary {
                    Some(summary) => {
                        egui::ScrollArea::both().id_salt("summary").auto_shrink(false).show(ui, |ui| {
                            ui.add(egui::Label::new(RichText::new(text::cut(&summary, 20_000)).monospace()).extend());
                        });
                    }
                    None => crate::widgets::notice(ui, self.empty_reason(), false),
                }
            }
            Some(job) => running(ui, job),
        }
    }

    fn empty_reason(&self) -> &'static str {
        "Nothing is being replayed. Rows go into the open database, or into a new one beside the first file."
    }
}

impl Replay {
    fn speed(&self) -> Option<f64> {
        (!self.fastest).then_some(self.speed)
    }
}

fn running(ui: &mut egui::Ui, job: &ReplayJob) {
    let control = &job.control;
    ui.add(egui::ProgressBar::new(control.share()).text(format!("{} {:.0} %", control.phase(), control.share() * 100.0)));
    ui.label(format!("event time {}", text::time(control.reached_ns())));
    ui.horizontal(|ui| {
        let paused = control.is_paused();
        if ui.button(if paused { "Go on" } else { "Pause" }).clicked() {
            control.pause(!paused);
        }
        if ui.add_enabled(paused, egui::Button::new("Step")).on_hover_text("one batch of events").clicked() {
            control.step();
        }
        if ui
            .add_enabled(!control.is_stopping(), egui::Button::new("Stop"))
            .on_hover_text("what was stored is kept; the same replay continues later")
            .clicked()
        {
            control.stop();
        }
    });
    for file in &job.files {
        ui.weak(text::cut(&file.display().to_string(), 120));
    }
    ui.weak(format!("into {}", text::cut(&job.db.display().to_string(), 120)));
    ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
}
