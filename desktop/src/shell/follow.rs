//! Following a database that another process is writing: looked at again every few seconds, with how far behind it is.
//!
//! Promises: a new look begins only when the last one was answered, so a slow server is never asked twice at once; what could not be read
//! stays as it was, and the line at the bottom says why and since when; following can be paused.
//!
//! Read next: `../data/mod.rs` (what is asked again), `docs/LIVE.md` (the other end).

use eframe::egui;

use super::jobs;
use crate::data::query::Ask;
use crate::data::{Data, Place, statements};

/// Where the time of the newest request is held.
const NEWEST: Place = ("follow", "newest");

/// Seconds between two looks.
const EVERY_SECS: f64 = 5.0;

/// When it was looked last, and whether it is looked again.
#[derive(Debug)]
pub struct Follow {
    /// Whether looks go on by themselves.
    pub on: bool,
    looked_secs: f64,
}

impl Default for Follow {
    fn default() -> Self {
        Self { on: true, looked_secs: 0.0 }
    }
}

impl Follow {
    /// Looks again where it is time.
    pub fn frame(&mut self, ctx: &egui::Context, data: &mut Data) {
        if !data.is_open() || !data.is_followed() {
            return;
        }
        data.want(NEWEST, Ask::plain(statements::NEWEST, &[], 1));
        let now = ctx.time();
        if self.on && !data.is_busy() && now - self.looked_secs >= EVERY_SECS {
            self.looked_secs = now;
            data.look_again();
        }
        if self.on {
            ctx.request_repaint_after_secs(1.0);
        }
    }

    /// What the line at the bottom says, where something is followed; true with it where that is a trouble.
    #[must_use]
    pub fn told(&self, data: &Data) -> Option<(String, bool)> {
        if !data.is_followed() || !data.is_open() {
            return None;
        }
        if let Some(lost) = &data.lost {
            return Some((format!("not reached, what is shown is older: {lost}"), true));
        }
        let newest_ns = data.table(NEWEST).map(|table| table.int(0, "newest_ns")).filter(|ns| *ns > 0);
        let behind = newest_ns.map_or_else(|| "no request yet".to_owned(), |ns| behind(jobs::now_ns().saturating_sub(ns)));
        Some((if self.on { behind } else { format!("{behind}; paused") }, false))
    }
}

/// How long ago the newest request was.
fn behind(ns: i64) -> String {
    let secs = ns.max(0) / 1_000_000_000;
    match secs {
        0..120 => format!("newest request {secs} s ago"),
        120..7_200 => format!("newest request {} min ago", secs / 60),
        _ => format!("newest request {} h ago", secs / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_behind_is_said_in_a_unit_that_fits() {
        let said: Vec<String> = [-5, 3, 180, 90_000].into_iter().map(|secs| behind(secs * 1_000_000_000)).collect();
        assert_eq!(
            said,
            ["newest request 0 s ago", "newest request 3 s ago", "newest request 3 min ago", "newest request 25 h ago"]
        );
    }
}
