//! The window: what is remembered, what is open, one frame after the other.
//!
//! Promises: a frame never waits for the store or a file; what views want done is done after they were laid out; settings are kept
//! when they changed and when the window closes.
//!
//! Read next: `act.rs` (what actions do), `tabs.rs`, `bar.rs`, `brush.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, RichText};

use super::action::{Action, Decision};
use super::bar::{self, Bar};
use super::brush::Brush;
use super::case::Case;
use super::custody::Custody;
use super::dialogs::{Answered, Dialog};
use super::focus::Focus;
use super::follow::Follow;
use super::jobs::ReplayJob;
use super::palette::Palette;
use super::scope::Scope;
use super::screenshots::{Outcome, Walk};
use super::settings::{self, Settings};
use super::tabs::{self, Layout, Panes};
use super::{keys, theme};
use crate::data::Data;
use crate::views::{self, Cx, View};

/// Decisions that can be taken back.
pub(super) const UNDO: usize = 100;

/// Seconds between two looks whether the settings changed.
const KEEP_SECS: f64 = 5.0;

/// What the window begins with.
#[derive(Debug, Default)]
pub struct Start {
    /// Database, case, or captures and logs.
    pub paths: Vec<PathBuf>,
    /// Settings file; the default place where there is none.
    pub settings: Option<PathBuf>,
    /// Walk every view, save a picture of each there, and end.
    pub screenshots: Option<PathBuf>,
    /// Where the walk leaves what went wrong.
    pub outcome: Outcome,
}

impl Start {
    /// Where the walk leaves what went wrong.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
}

/// The window.
pub struct App {
    pub(super) data: Data,
    pub(super) scope: Scope,
    pub(super) settings: Settings,
    kept: Settings,
    pub(super) settings_path: Option<PathBuf>,
    pub(super) views: Vec<Box<dyn View>>,
    pub(super) layout: Layout,
    /// The view that was used last, which commands about a view are about.
    pub(super) current: &'static str,
    bar: Bar,
    brush: Brush,
    focus: Focus,
    pub(super) palette: Option<Palette>,
    pub(super) dialog: Option<Dialog>,
    pub(super) job: Option<ReplayJob>,
    pub(super) case: Case,
    pub(super) custody: Custody,
    pub(super) follow: Follow,
    pub(super) undo: Vec<Decision>,
    pub(super) told: Option<Result<String, String>>,
    walk: Option<Walk>,
    looked_secs: f64,
}

impl App {
    /// A window that opens what `start` names.
    #[must_use]
    pub fn new(ctx: &egui::Context, start: Start) -> Self {
        theme::install(ctx);
        let settings_path = start.settings.or_else(settings::default_path);
        let (settings, told) = settings_path.as_deref().map(Settings::load).unwrap_or_default();
        let views = views::all();
        let layout = tabs::read(settings.layout.as_ref(), &views);
        let mut app = Self {
            data: Data::new(ctx),
            scope: Scope::default(),
            kept: settings.clone(),
            settings,
            settings_path,
            views,
            layout,
            current: "overview",
            bar: Bar::default(),
            brush: Brush::default(),
            focus: Focus::default(),
            palette: None,
            dialog: None,
            job: None,
            case: Case::default(),
            custody: Custody::default(),
            follow: Follow::default(),
            undo: Vec::new(),
            told: told.map(Err),
            walk: start.screenshots.map(|folder| Walk::new(folder, start.outcome)),
            looked_secs: 0.0,
        };
        ctx.set_theme(app.settings.look);
        app.open_paths(ctx, start.paths);
        app
    }

    /// One frame.
    pub fn frame(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        self.receive(&ctx);
        self.focus.begin(&ctx);
        let mut out = keys::pressed(&ctx);
        out.extend(self.dropped(&ctx));
        ctx.set_zoom_factor(self.settings.zoom);
        ctx.set_theme(self.settings.look);
        self.follow.frame(&ctx, &mut self.data);
        self.look_at_case();
        Brush::ask(&mut self.data, &mut self.scope);
        egui::Panel::top("bar").show(ui, |ui| self.bar.ui(ui, &mut self.scope, &mut self.settings, &self.views, &mut out));
        let job = self.job.as_ref().map(|job| (job.control.share(), job.control.phase()));
        let panel = egui::Panel::bottom("status");
        panel.show(ui, |ui| bar::status(ui, &self.data, &mut self.follow, self.told.as_ref(), job));
        let roomy = ctx.content_rect().height() > 380.0;
        if self.scope.range.is_some() && roomy {
            egui::Panel::top("time").show(ui, |ui| self.brush.ui(ui, &self.data, &self.scope, &mut out));
        }
        if ctx.content_rect().width() > 640.0 {
            egui::Panel::left("views").resizable(false).exact_size(148.0).show(ui, |ui| self.navigation(ui, &mut out));
        }
        egui::CentralPanel::no_frame().show(ui, |ui| {
            let cx = Cx {
                data: &mut self.data,
                scope: &self.scope,
                settings: &mut self.settings,
                case: &mut self.case,
                job: self.job.as_ref(),
                out: &mut out,
            };
            let mut panes = Panes { views: &mut self.views, cx, current: &mut self.current };
            self.layout.ui(&mut panes, ui);
        });
        self.stop_everything_else(&ctx, &mut out);
        self.focus.end(&ctx);
        for action in out {
            self.act(&ctx, action);
        }
        self.keep(&ctx);
        if let Some(mut walk) = self.walk.take() {
            walk.frame(&ctx, self);
            self.walk = Some(walk);
        }
    }

    fn navigation(&self, ui: &mut egui::Ui, out: &mut Vec<Action>) {
        egui::ScrollArea::vertical().id_salt("views").show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            for view in &self.views {
                let shown = tabs::is_shown(&self.layout, view.id());
                let text = RichText::new(format!("{}  {}", view.icon(), view.title()));
                let button = egui::Button::selectable(shown, text).min_size(egui::vec2(132.0, 22.0));
                let response = ui.add(button).accessible_name(format!("Go to {}", view.title())).on_hover_text(view.about());
                if response.clicked() {
                    out.push(Action::Show(view.id()));
                }
            }
        });
    }

    fn receive(&mut self, ctx: &egui::Context) {
        let (was_open, was) = (self.data.is_open(), self.data.opened.target.clone());
        if let Some(told) = self.data.receive().pop() {
            self.told = Some(told);
        }
        if self.data.is_open() && !was_open {
            settings::remember(&mut self.settings.recent, &was.display().to_string());
            self.told = None;
        }
        if let Some(result) = self.job.as_ref().and_then(ReplayJob::take_result)
            && let Some(job) = self.job.take()
        {
            self.replayed(ctx, &job, result);
        }
    }

    fn dropped(&self, ctx: &egui::Context) -> Vec<Action> {
        let paths: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect());
        if paths.is_empty() { Vec::new() } else { vec![Action::OpenAll(paths)] }
    }

    fn stop_everything_else(&mut self, ctx: &egui::Context, out: &mut Vec<Action>) {
        if let Some(palette) = &mut self.palette
            && let Some(chosen) = palette.show(ctx, &self.views, &self.settings)
        {
            self.palette = None;
            out.extend(chosen);
        }
        let Some(mut dialog) = self.dialog.take() else { return };
        match dialog.show(ctx, &self.settings.recent) {
            Answered::Open => self.dialog = Some(dialog),
            Answered::Closed => {}
            Answered::Paths(paths) => out.push(Action::OpenAll(paths)),
            Answered::Server(url, token) => self.data.open(&url, Some(token)),
            Answered::Save(path, what) => self.save(ctx, &path, what),
        }
    }

    /// Writes the settings where they changed, at most every few seconds.
    fn keep(&mut self, ctx: &egui::Context) {
        let now = ctx.time();
        if now - self.looked_secs >= KEEP_SECS {
            self.looked_secs = now;
            self.keep_now();
        }
    }

    /// Writes the settings where they changed.
    pub fn keep_now(&mut self) {
        self.settings.layout = serde_json::to_value(&self.layout).ok();
        let Some(path) = self.settings_path.as_ref().filter(|_| self.settings != self.kept) else { return };
        match self.settings.save(path) {
            Ok(()) => self.kept = self.settings.clone(),
            Err(message) => {
                // Once is enough: a read-only home is no reason to tell every five seconds.
                self.settings_path = None;
                self.told = Some(Err(message));
            }
        }
    }

    /// What the person was told last; tests read it.
    #[must_use]
    pub fn told(&self) -> Option<&Result<String, String>> {
        self.told.as_ref()
    }

    /// Questions and answers; tests read them.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Search and span; tests read them.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A replay that runs; tests read it.
    #[must_use]
    pub fn job(&self) -> Option<&ReplayJob> {
        self.job.as_ref()
    }

    /// Does what a view or command would; tests and the walk use it.
    pub fn tell(&mut self, ctx: &egui::Context, action: Action) {
        self.act(ctx, action);
    }

    pub(super) fn text_to_save(&mut self, name: &str, extension: &str, text: String) {
        self.dialog = Some(Dialog::save(name, extension, super::dialogs::Saving::Text(Arc::from(text))));
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.frame(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.keep_now();
    }
}
