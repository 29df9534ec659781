//! What actions do.
//!
//! Promises: each is done once, after the frame; what changes data leaves something to take back; what fails is a sentence at the bottom.
//!
//! Read next: `action.rs`, `decide.rs`, `case.rs`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use eframe::egui;
use ja4_lab::campaigns;
use ja4_lab::pseudonym::Key;
use ja4_replay::pipeline::ReplaySummary;

use super::action::{Action, Decision};
use super::app::{App, UNDO};
use super::bar;
use super::case::Case;
use super::dialogs::{Dialog, Saving};
use super::jobs::{self, ReplayJob, is_database};
use super::palette::Palette;
use super::settings::{Look, remember};
use super::{decide, docking, tabs};
use crate::data::table::Table;
use crate::data::worker::Change;
use crate::data::{export, lab};
use crate::views::{replay, sql};
use crate::widgets::text;

impl App {
    pub(super) fn act(&mut self, ctx: &egui::Context, action: Action) {
        match action {
            Action::Show(id) => {
                tabs::show(&mut self.layout, id);
                self.current = id;
            }
            Action::Dock(what) => {
                if let Err(message) = docking::dock(&mut self.layout, self.current, what) {
                    self.told = Some(Err(message));
                }
            }
            Action::CloseView(id) => tabs::close(&mut self.layout, id),
            Action::Investigate(ip) => self.look_into(ip, String::new()),
            Action::Explain { session, ip } => self.look_into(ip, session),
            Action::Search(text) => self.scope.set(&text),
            Action::Filter { not, key, value } => self.scope.filter(not, &key, &value),
            Action::Span(span) => self.scope.span = span,
            Action::Open(path) => self.open_paths(ctx, vec![path]),
            Action::OpenAll(paths) => self.open_paths(ctx, paths),
            Action::AskOpen => self.dialog = Some(Dialog::open("")),
            Action::AskFollow => self.dialog = Some(Dialog::open("http://127.0.0.1:")),
            Action::Refresh => self.data.refresh(),
            Action::Stop => self.data.stop_all(),
            Action::SaveTable { name, form, rows, table } => {
                self.dialog = Some(Dialog::save(&name, form.extension(), Saving::Table { form, rows, table, pseudonyms: false }))
            }
            Action::SaveChart(chart) => self.text_to_save(&chart.name, "svg", chart.to_svg(ctx.theme() == egui::Theme::Dark)),
            Action::SaveChartPicture(chart) => {
                let dark = ctx.theme() == egui::Theme::Dark;
                self.dialog = Some(Dialog::save(&chart.name.clone(), "png", Saving::ChartPicture(chart, dark)));
            }
            Action::SavePackets(table) => self.dialog = Some(Dialog::save("connection", "pcap", Saving::Packets(table))),
            Action::SavePicture => self.dialog = Some(Dialog::save("ja4-desktop", "png", Saving::Picture)),
            Action::SaveCase => {
                self.custody.wanted = true;
                self.dialog = Some(Dialog::save("case", "case.json", Saving::Case));
            }
            Action::SaveReport => self.save_report(),
            Action::Sql(text) => self.console(ctx, text),
            Action::ShowAsk(ask) => {
                let text = ask.shown(self.data.engine());
                self.console(ctx, text);
            }
            Action::Label(decision) => self.decide(decision, true),
            Action::Undo => self.undo(),
            Action::Campaign { id, kind } => self.decide_campaign(id, kind),
            Action::Replay { files, speed } => self.replay(ctx, files, speed),
            Action::Note(line) => {
                self.case.notes.push(line);
                self.told = Some(Ok("added to the case; Ctrl+S saves it".to_owned()));
            }
            Action::Tell(told) => self.told = Some(told),
            Action::Palette => self.palette = if self.palette.is_some() { None } else { Some(Palette::default()) },
            Action::FocusSearch => ctx.memory_mut(|memory| memory.request_focus(bar::search_id())),
            Action::Zoom(0) => self.settings.zoom = 1.0,
            Action::Zoom(step) => self.settings.zoom = (self.settings.zoom + 0.1 * f32::from(step)).clamp(0.6, 2.0),
            Action::NextLook => {
                self.settings.look = match self.settings.look {
                    Look::System => Look::Light,
                    Look::Light => Look::Dark,
                    Look::Dark => Look::System,
                };
            }
        }
    }

    fn look_into(&mut self, ip: String, session: String) {
        self.scope.ip = ip;
        self.scope.session = session;
        tabs::show(&mut self.layout, "investigation");
    }

    fn console(&mut self, ctx: &egui::Context, text: String) {
        ctx.data_mut(|data| data.insert_temp(egui::Id::unique(sql::TEXT), text));
        tabs::show(&mut self.layout, "sql");
    }

    /// A database or URL is opened, a case is read, captures and logs are replayed.
    pub(super) fn open_paths(&mut self, ctx: &egui::Context, paths: Vec<PathBuf>) {
        let Some(first) = paths.first() else { return };
        let is_case = |path: &Path| path.extension().is_some_and(|end| end == "json") && Case::load(path).is_ok();
        if is_case(first) {
            self.open_case(first);
        } else if paths.len() == 1 && (is_store(first) || !first.exists()) {
            self.data.open(first, None);
        } else {
            self.replay(ctx, paths, None);
        }
    }

    fn open_case(&mut self, path: &Path) {
        match Case::load(path) {
            Ok(case) => {
                if let Some(search) = case.searches.last() {
                    self.scope.set(&search.text);
                    self.scope.span = search.span;
                }
                self.custody.compare = true;
                let hint = format!("case opened; it was made with {}, open that or another database with Ctrl+O", case.database);
                self.told = Some(Ok(hint));
                self.case = case;
            }
            Err(message) => self.told = Some(Err(message)),
        }
    }

    fn table(&self, view: &'static str, slot: &'static str) -> Option<&Table> {
        self.data.table((view, slot)).map(AsRef::as_ref)
    }

    fn save_report(&mut self) {
        self.record_case();
        let sessions = self.table("sessions", "rows").or_else(|| self.table("detections", "rows"));
        let explanation = match self.data.get(("investigation", "explain")) {
            crate::data::Loaded::Text(text) => Some(text.as_ref()),
            _ => None,
        };
        let html = self.case.report(sessions, explanation, &[]);
        self.text_to_save("case-report", "html", html);
    }

    /// Does what the save dialog was answered with.
    pub(super) fn save(&mut self, ctx: &egui::Context, path: &Path, what: Saving) {
        let done = match what {
            Saving::Table { form, rows, table, pseudonyms } => {
                let all = rows.len() == table.rows() && rows.iter().enumerate().all(|(at, row)| at == *row as usize);
                let picked = if all { table } else { Arc::new(table.select(&rows)) };
                match pseudonyms {
                    true => self.under_pseudonyms(&picked).and_then(|table| export::write_table(path, form, &table)),
                    false => export::write_table(path, form, &picked),
                }
            }
            Saving::ChartPicture(chart, dark) => crate::widgets::raster::save(path, &chart, dark),
            Saving::Text(text) => export::write_whole(path, |out| out.write_all(text.as_bytes())),
            Saving::Packets(table) => {
                export::write_whole(path, |out| ja4_lab::packets::write_pcap(out, &lab::from_table(&table)).map(|_| ()))
            }
            Saving::Case if self.data.is_open() => {
                self.custody.save_to = Some(path.to_path_buf());
                return;
            }
            Saving::Case => {
                self.record_case();
                self.case.save(path)
            }
            Saving::Picture => {
                let path = path.to_path_buf();
                let (sender, receiver) = mpsc::sync_channel(1);
                ctx.request_screenshot(move |image| {
                    // The window may be closing; then nobody is told.
                    let _ = sender.send(super::screenshots::save(&path, &image));
                });
                drop(receiver);
                Ok(())
            }
        };
        self.told = Some(done.map(|()| format!("saved {}", path.display())));
    }

    /// The same rows under pseudonyms of the key beside the settings, which is made once; the case notes which key it was.
    fn under_pseudonyms(&mut self, table: &Table) -> Result<Table, String> {
        let beside = self.settings_path.clone().or_else(super::settings::default_path).unwrap_or_default();
        let path = beside.with_file_name("pseudonyms.key");
        let key = Key::open(&path).map_err(|error| error.to_string())?;
        self.case.pseudonyms = key.name();
        export::pseudonymised(table, key)
    }

    fn decide(&mut self, decision: Decision, remember: bool) {
        if decision.session.is_empty() {
            self.told = Some(Err("there is no scored session to decide about".to_owned()));
            return;
        }
        if remember {
            self.undo.push(decision.clone());
            let many = self.undo.len().saturating_sub(UNDO);
            self.undo.drain(..many);
        }
        let analyst = if self.settings.analyst.is_empty() { "analyst".to_owned() } else { self.settings.analyst.clone() };
        let what = match decision.label {
            1 => "decided: bot (Ctrl+Z takes it back)",
            0 => "decided: legitimate (Ctrl+Z takes it back)",
            _ => "withdrawn",
        };
        let now_ns = jobs::now_ns();
        let action: Change = Box::new(move |store| decide::write(store, &decision, &analyst, now_ns));
        self.data.change(what, action);
    }

    fn decide_campaign(&mut self, campaign_id: String, kind: campaigns::Kind) {
        let analyst = if self.settings.analyst.is_empty() { "analyst".to_owned() } else { self.settings.analyst.clone() };
        let decision = campaigns::Decision { campaign_id, kind, note: String::new(), analyst, ts_ns: jobs::now_ns() };
        let action: Change =
            Box::new(move |store| campaigns::decide(store, &decision).map(|_| ()).map_err(|error| error.to_string()));
        self.data.change("decided about the campaign", action);
    }

    fn undo(&mut self) {
        match self.undo.pop() {
            Some(decision) => self.decide(Decision { label: -1, note: "taken back".to_owned(), ..decision }, false),
            None => self.told = Some(Ok("nothing was decided that could be taken back".to_owned())),
        }
    }

    fn replay(&mut self, ctx: &egui::Context, files: Vec<PathBuf>, speed: Option<f64>) {
        if self.job.is_some() {
            self.told = Some(Err("a replay is running; stop it first".to_owned()));
            return;
        }
        let db = match (self.data.is_open(), files.first()) {
            (true, _) => self.data.opened.target.clone(),
            (false, Some(first)) => beside(first),
            (false, None) => return,
        };
        for folder in files.iter().filter_map(|file| file.parent()) {
            remember(&mut self.settings.captures, &folder.display().to_string());
        }
        self.data.close();
        tabs::show(&mut self.layout, "replay");
        self.told = None;
        self.job = Some(ReplayJob::start(ctx, files, &db, speed));
    }

    pub(super) fn replayed(&mut self, ctx: &egui::Context, job: &ReplayJob, result: Result<ReplaySummary, String>) {
        match result {
            Ok(summary) => {
                let shown = summary_text(&summary);
                ctx.data_mut(|data| data.insert_temp(egui::Id::unique(replay::SUMMARY), shown));
                self.told = Some(Ok(format!(
                    "replayed: {} rows new, {} sessions, {} anomalous",
                    summary.rows_added, summary.sessions, summary.anomalies
                )));
                self.data.open(&job.db, None);
            }
            Err(message) => {
                ctx.data_mut(|data| data.insert_temp(egui::Id::unique(replay::SUMMARY), message.clone()));
                self.told = Some(Err(message));
                if job.db.exists() {
                    self.data.open(&job.db, None);
                }
            }
        }
    }
}

/// Whether a path names a store rather than something to replay.
fn is_store(path: &Path) -> bool {
    let named = path.extension().is_some_and(|end| matches!(end.to_str(), Some("duckdb" | "db" | "ddb")));
    named || path.to_string_lossy().contains("://") || is_database(path)
}

/// A database beside a capture: `capture.pcapng` gives `capture.duckdb`.
fn beside(file: &Path) -> PathBuf {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or("replay").to_owned();
    file.with_file_name(format!("{stem}.duckdb"))
}

/// What `ja4-lab replay` says, in its words.
fn summary_text(summary: &ReplaySummary) -> String {
    let mut lines: Vec<String> = summary.notes.iter().map(|note| format!("note      {note}")).collect();
    lines.push(format!(
        "read      {} packets ({} damaged), {} handshakes",
        summary.packets, summary.damaged_packets, summary.tls_handshakes
    ));
    lines.push(format!("          {} requests ({} damaged log records)", summary.http_requests, summary.damaged_http_records));
    lines.push(format!(
        "joined    {} of the requests, {} without a handshake, {} ambiguous; {} connections without a request",
        summary.matched, summary.http_only, summary.ambiguous, summary.tls_only
    ));
    for (kind, count) in &summary.match_kinds {
        lines.push(format!("          {kind} {count}"));
    }
    lines.push(format!(
        "stored    {} rows new, {} skipped, {} in all",
        summary.rows_added, summary.duplicates_skipped, summary.rows
    ));
    lines.push(format!("scored    {} sessions, {} anomalous", summary.sessions, summary.anomalies));
    lines.push(format!("digests   rows {}", summary.rows_digest));
    lines.push(format!("          features {}", summary.features_digest));
    lines.push(format!("          scores {}", summary.scores_digest));
    text::cut(&lines.join("\n"), 40_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_stands_beside_what_it_was_made_of() {
        assert_eq!(beside(Path::new("/a/capture.pcapng.zst")), Path::new("/a/capture.duckdb"));
        assert_eq!(beside(Path::new(".x")), Path::new("replay.duckdb"));
        assert!(is_store(Path::new("a.duckdb")) && is_store(Path::new("clickhouse://host/db")) && !is_store(Path::new("a.pcap")));
    }
}
