//! The log: one JSON object a line on standard error.
//!
//! Promises: whatever a text holds, a line stays one line, and nothing in it acts on a terminal.
//!
//! Read next: `run.rs`.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ja4_replay::live::{Level, Tell};
use ja4_replay::visible::push_json_text;

use crate::config::LogLevel;

/// The log of this process; its level may change.
#[derive(Debug, Clone, Default)]
pub struct Log {
    least: Arc<AtomicU8>,
}

impl Log {
    /// Writes lines down to `level`.
    pub fn new(level: LogLevel) -> Self {
        let log = Self::default();
        log.set(level);
        log
    }

    /// Another level from now on.
    pub fn set(&self, level: LogLevel) {
        let least = match level {
            LogLevel::Error => Level::Error,
            LogLevel::Warn => Level::Warn,
            LogLevel::Info => Level::Info,
        };
        self.least.store(least as u8, Ordering::Relaxed);
    }

    /// Where the library tells.
    pub fn tell(&self) -> Tell {
        let log = self.clone();
        Arc::new(move |level, topic, text| log.line(level, topic, text))
    }

    /// One line.
    pub fn line(&self, level: Level, topic: &str, text: &str) {
        if level as u8 > self.least.load(Ordering::Relaxed) {
            return;
        }
        let name = match level {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
        };
        let mut line = format!("{{\"ts\":\"{}\",\"level\":\"{name}\",\"topic\":", now());
        push_json_text(topic, &mut line);
        line.push_str(",\"text\":");
        push_json_text(text, &mut line);
        line.push_str("}\n");
        // Nobody is left to tell that telling failed.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

#[allow(clippy::disallowed_methods, reason = "the outermost program: lines carry the time of day")]
fn now() -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(i64::try_from(since_1970.as_millis()).unwrap_or_default());
    time.map(|time| time.to_string()).unwrap_or_default()
}
