//! Walks every view of the real window, saves a picture of each, and ends: the smoke test and the pictures of the documentation.
//!
//! Promises: a view that fails or a database that does not open is told and ends with an error; each picture is taken once the
//! view's answers are there; the walk ends by itself.
//!
//! Read next: `app.rs`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{self, ViewportCommand};

use super::action::Action;
use super::app::App;
use super::settings::Look;

/// Frames that a view may settle before its picture.
const SETTLE: u32 = 6;

/// Seconds that answers may take.
const PATIENCE_SECS: f64 = 60.0;

/// What went wrong, shared with whoever started the window.
#[derive(Debug, Clone, Default)]
pub struct Outcome(Arc<Mutex<Option<String>>>);

impl Outcome {
    /// The sentence, where something went wrong.
    ///
    /// # Errors
    /// That sentence.
    pub fn take(&self) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn fail(&self, message: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
    }
}

/// The walk.
pub(super) struct Walk {
    folder: PathBuf,
    outcome: Outcome,
    at: usize,
    quiet: u32,
    since_secs: Option<f64>,
    begun: bool,
    asked: bool,
    saved: Arc<Mutex<usize>>,
}

impl Walk {
    pub(super) fn new(folder: PathBuf, outcome: Outcome) -> Self {
        Self { folder, outcome, at: 0, quiet: 0, since_secs: None, begun: false, asked: false, saved: Arc::default() }
    }

    /// One frame of it, after the window's own.
    pub(super) fn frame(&mut self, ctx: &egui::Context, app: &mut App) {
        ctx.request_repaint();
        let now = ctx.time();
        let since = *self.since_secs.get_or_insert(now);
        if let Some(message) = app.data.refused.clone() {
            self.end(ctx, Some(message));
            return;
        }
        if now - since > PATIENCE_SECS {
            self.end(ctx, Some(format!("view {} had no answer within a minute", self.name(app))));
            return;
        }
        let busy = app.data.is_busy() || !app.data.is_open();
        self.quiet = if busy { 0 } else { self.quiet + 1 };
        if self.quiet < SETTLE {
            return;
        }
        if self.asked {
            if *self.saved.lock().unwrap_or_else(PoisonError::into_inner) > self.at {
                self.asked = false;
                self.at += 1;
                self.enter(ctx, app, now);
            }
        } else if self.begun {
            self.asked = true;
            self.picture(ctx, app);
        } else {
            self.begun = true;
            self.prepare(ctx, app);
            self.enter(ctx, app, now);
        }
    }

    fn name(&self, app: &App) -> &'static str {
        app.views.get(self.at / 2).map_or("", |view| view.id())
    }

    /// Looks into the worst session, so that the investigation has something to show.
    fn prepare(&self, ctx: &egui::Context, app: &mut App) {
        let worst = app.data.table(("overview", "ips")).map(|table| table.text(0, "src_ip").into_owned());
        if let Some(ip) = worst.filter(|ip| !ip.is_empty()) {
            app.tell(ctx, Action::Investigate(ip));
        }
    }

    fn enter(&mut self, ctx: &egui::Context, app: &mut App, now: f64) {
        let Some(id) = app.views.get(self.at / 2).map(|view| view.id()) else {
            self.end(ctx, None);
            return;
        };
        app.settings.look = if self.at.is_multiple_of(2) { Look::Dark } else { Look::Light };
        app.tell(ctx, Action::Show(id));
        (self.quiet, self.since_secs) = (0, Some(now));
    }

    fn picture(&self, ctx: &egui::Context, app: &App) {
        let look = if self.at.is_multiple_of(2) { "dark" } else { "light" };
        let path = self.folder.join(format!("{}-{look}.png", self.name(app)));
        let (saved, outcome, at) = (Arc::clone(&self.saved), self.outcome.clone(), self.at);
        ctx.request_screenshot(move |image| {
            if let Err(message) = save(&path, &image) {
                outcome.fail(message);
            }
            *saved.lock().unwrap_or_else(PoisonError::into_inner) = at + 1;
        });
    }

    fn end(&mut self, ctx: &egui::Context, message: Option<String>) {
        if let Some(message) = message {
            self.outcome.fail(message);
        }
        ctx.send_viewport_cmd(ViewportCommand::Close);
    }
}

/// Writes a picture of the window as PNG.
///
/// # Errors
/// The file system's refusal, as a sentence.
pub(super) fn save(path: &Path, image: &egui::ColorImage) -> Result<(), String> {
    let fail = |error: String| format!("write {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| fail(error.to_string()))?;
    }
    let [width, height] = image.size.map(|side| u32::try_from(side).unwrap_or(0));
    let bytes: Vec<u8> = image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    let picture = image::RgbImage::from_raw(width, height, bytes).ok_or_else(|| fail("the picture has no pixels".to_owned()))?;
    picture.save(path).map_err(|error| fail(error.to_string()))
}
