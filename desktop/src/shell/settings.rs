//! What is remembered between two starts, as JSON under the XDG configuration folder.
//!
//! Promises: a missing, damaged or newer file is no reason not to start, the defaults hold and a sentence says so; nothing of the
//! data is kept, only names of files, searches and looks; the file is replaced as a whole.
//!
//! Read next: `app.rs` (who loads and keeps it).

use std::path::{Path, PathBuf};

use eframe::egui::ThemePreference;
use serde::{Deserialize, Serialize};

use crate::data::export;

/// Entries of lists that are remembered.
const REMEMBERED: usize = 20;

/// A search with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Name.
    pub name: String,
    /// Text.
    pub text: String,
}

/// Light, dark or the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Look {
    /// As the system is.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl From<Look> for ThemePreference {
    fn from(look: Look) -> Self {
        match look {
            Look::System => Self::System,
            Look::Light => Self::Light,
            Look::Dark => Self::Dark,
        }
    }
}

/// Everything that is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Look.
    pub look: Look,
    /// Size of everything, 0.6 to 2.
    pub zoom: f32,
    /// Rows that a list asks for at most.
    pub rows: usize,
    /// Databases opened before, newest first.
    pub recent: Vec<String>,
    /// Searches typed before, newest first.
    pub history: Vec<String>,
    /// Searches kept by name.
    pub saved: Vec<Saved>,
    /// SQL typed before, newest first.
    pub sql: Vec<String>,
    /// Folders in which captures are looked for.
    pub captures: Vec<String>,
    /// Name that is written beside decisions.
    pub analyst: String,
    /// Arrangement of the tabs.
    pub layout: Option<serde_json::Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            look: Look::System,
            zoom: 1.0,
            rows: 200_000,
            recent: Vec::new(),
            history: Vec::new(),
            saved: Vec::new(),
            sql: Vec::new(),
            captures: Vec::new(),
            analyst: String::new(),
            layout: None,
        }
    }
}

impl Settings {
    /// Reads `path`; what is wrong with it comes as a sentence beside the defaults.
    #[must_use]
    pub fn load(path: &Path) -> (Self, Option<String>) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => {
                return (Self::default(), Some(format!("read settings {}: {error}; the defaults are used", path.display())));
            }
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(settings) => (settings.checked(), None),
            Err(error) => (
                Self::default(),
                Some(format!("read settings {}: {error}; the defaults are used until you change something", path.display())),
            ),
        }
    }

    fn checked(mut self) -> Self {
        self.zoom = if self.zoom.is_finite() { self.zoom.clamp(0.6, 2.0) } else { 1.0 };
        self.rows = self.rows.clamp(100, 2_000_000);
        for list in [&mut self.recent, &mut self.history, &mut self.sql, &mut self.captures] {
            list.truncate(REMEMBERED);
        }
        self
    }

    /// Writes them.
    ///
    /// # Errors
    /// The file system's refusal, as a sentence.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| format!("create folder {}: {error}", folder.display()))?;
        }
        export::write_whole(path, |out| serde_json::to_writer_pretty(out, self).map_err(std::io::Error::other))
    }
}

/// Puts `text` first in a list without repeating it.
pub fn remember(list: &mut Vec<String>, text: &str) {
    let text = text.trim();
    if !text.is_empty() {
        list.retain(|known| known != text);
        list.insert(0, text.to_owned());
        list.truncate(REMEMBERED);
    }
}

/// Where the settings are: `$XDG_CONFIG_HOME/ja4/desktop.json`, else below `~/.config`.
#[must_use]
pub fn default_path() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("ja4").join("desktop.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_and_damage_does_not_stop_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/desktop.json");
        assert_eq!(Settings::load(&path), (Settings::default(), None));
        let mut settings = Settings { zoom: 1.5, ..Settings::default() };
        remember(&mut settings.history, "score:>0.8");
        remember(&mut settings.history, "host:a");
        remember(&mut settings.history, " score:>0.8 ");
        assert_eq!(settings.history, ["score:>0.8", "host:a"]);
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path), (settings, None));
        std::fs::write(&path, "{\"zoom\": 99, \"unknown\": 1, \"rows\": 0}").unwrap();
        let (loaded, told) = Settings::load(&path);
        assert!((loaded.zoom - 2.0).abs() < 1e-6 && loaded.rows == 100 && told.is_none());
        std::fs::write(&path, "{ no").unwrap();
        let (loaded, told) = Settings::load(&path);
        assert_eq!(loaded, Settings::default());
        assert!(told.unwrap().contains("the defaults are used"));
    }
}
