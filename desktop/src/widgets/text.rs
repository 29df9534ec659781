//! Text from outside on the screen: escaped, cut, times and severities as words.
//!
//! Promises: control characters and bidirectional overrides are shown as escapes; a cell of 10,000 characters costs what 240 cost.
//!
//! Read next: `ja4_lab::render` (which characters act).

use eframe::egui::{self, Color32, RichText};
use ja4_lab::render;

use crate::shell::theme;

/// Characters of a cell that are laid out; more are behind the tooltip.
pub const CELL: usize = 240;

/// `text` escaped and cut to `limit` characters, with an ellipsis where something is missing.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => visible(text),
        Some((end, _)) => format!("{}…", visible(text.get(..end).unwrap_or_default())),
    }
}

/// `text` with everything that would act shown; line breaks of ours stay.
fn visible(text: &str) -> String {
    text.split('\n').map(render::visible).collect::<Vec<_>>().join("\n")
}

/// A cell: one line, escaped, cut.
#[must_use]
pub fn cell(text: &str) -> String {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte);
    if text.len() <= CELL && text.bytes().all(plain) {
        return text.to_owned();
    }
    match text.char_indices().nth(CELL) {
        None => render::visible(text),
        Some((end, _)) => format!("{}…", render::visible(text.get(..end).unwrap_or_default())),
    }
}

/// A time (ns since 1970) as people read it, UTC, down to milliseconds.
#[must_use]
pub fn time(ns: i64) -> String {
    if ns <= 0 {
        return "-".to_owned();
    }
    let (days, rest) = (ns.div_euclid(DAY_NS), ns.rem_euclid(DAY_NS));
    let (year, month, day) = civil(days);
    let ms = rest / 1_000_000;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// A time as people write it (`2026-11-20 21:53:04`, parts may be left out from the right), as ns since 1970.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches('Z');
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut date = date.split('-');
    let (year, month, day): (i64, i64, i64) =
        (date.next()?.parse().ok()?, date.next()?.parse().ok()?, date.next()?.parse().ok()?);
    if date.next().is_some() || !(1970..=2261).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    let mut parts = clock.split(':').filter(|part| !part.is_empty());
    let mut take = |limit: f64| match parts.next() {
        None => Some(0.0),
        Some(part) => part.parse::<f64>().ok().filter(|value| (0.0..limit).contains(value)),
    };
    let (hours, minutes, seconds) = (take(24.0)?, take(60.0)?, take(60.0)?);
    #[allow(clippy::cast_possible_truncation, reason = "less than a day in milliseconds")]
    let ms = (hours * 3_600_000.0 + minutes * 60_000.0 + seconds * 1000.0).round() as i64;
    days.checked_mul(DAY_NS)?.checked_add(ms * 1_000_000)
}

const DAY_NS: i64 = 86_400_000_000_000;

/// Year, month and day of a number of days since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let yoe = year.rem_euclid(400);
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// A cell as its column means it.
#[must_use]
pub fn shown(name: &str, text: &str, int: Option<i64>) -> String {
    match int {
        Some(value) if name.ends_with("_ns") && !matches!(name, "skew_ns" | "gap_ns") => time(value),
        Some(value) if name == "win_ms" => time(value.saturating_mul(1_000_000)),
        Some(-1) if matches!(name, "label") => "-".to_owned(),
        Some(value) if name == "label" => if value == 1 { "bot" } else { "legitimate" }.to_owned(),
        Some(value) if name == "duration_us" && value >= 0 => format!("{} ms", crate::data::table::short(to_f64(value) / 1000.0)),
        Some(value) if name.ends_with("mismatch") && matches!(value, -1..=1) => {
            ["unknown", "agrees", "contradicts"][usize::try_from(value + 1).unwrap_or(0)].to_owned()
        }
        _ => cell(text),
    }
}

/// Whether a column of numbers is shown as numbers, and so on the right of its cells, digit below digit.
#[must_use]
pub fn is_number(name: &str) -> bool {
    let time = name.ends_with("_ns") && !matches!(name, "skew_ns" | "gap_ns");
    !time && !matches!(name, "win_ms" | "label") && !name.ends_with("mismatch")
}

#[allow(clippy::cast_precision_loss, reason = "microseconds for people")]
fn to_f64(value: i64) -> f64 {
    value as f64
}

/// Colour of a cell, where it has one.
#[must_use]
pub fn colour(dark: bool, name: &str, text: &str) -> Option<Color32> {
    match name {
        "severity" if text != "none" => Some(theme::severity(dark, text)),
        "anomaly" if text == "1" => Some(theme::severity(dark, "high")),
        "outcome" | "state" if matches!(text, "failed" | "refused" | "damaged" | "error") => {
            Some(theme::severity(dark, "critical"))
        }
        _ => None,
    }
}

/// A severity as a badge: its word, in its colour.
pub fn severity_badge(ui: &mut egui::Ui, name: &str) -> egui::Response {
    let colour = theme::severity(ui.visuals().dark_mode, name);
    ui.add(egui::Label::new(RichText::new(format!("● {}", cell(name))).color(colour)).selectable(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_shown_and_cut() {
        assert_eq!(cell("a\u{202e}b\u{0}"), "a\\u{202e}b\\u{0}");
        let long = "x".repeat(10_000);
        assert_eq!(cell(&long).chars().count(), CELL + 1);
        assert_eq!(cut("a\nb\u{1b}", 10), "a\nb\\u{1b}");
    }

    #[test]
    fn times_are_written_and_read_alike() {
        assert_eq!(time(1_790_000_000_123_000_000), "2026-09-21 14:13:20.123");
        assert_eq!(parse_time("2026-09-21 14:13:20.123"), Some(1_790_000_000_123_000_000));
        assert_eq!(parse_time("2026-09-21T14:13"), Some(1_789_999_980_000_000_000));
        assert_eq!(parse_time("2024-02-29"), Some(1_709_164_800_000_000_000));
        for wrong in ["", "yesterday", "2026-13-01", "2026-01-01 25:00", "2026-01", "9999999999-01-01"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
        assert_eq!(time(-1), "-");
    }

    #[test]
    fn numbers_that_mean_words_are_words() {
        assert_eq!(shown("label", "1", Some(1)), "bot");
        assert_eq!(shown("label", "-1", Some(-1)), "-");
        assert_eq!(shown("ua_ja4_mismatch", "1", Some(1)), "contradicts");
        assert_eq!(shown("mismatches", "1", Some(1)), "1", "a count");
        assert_eq!(shown("duration_us", "1500", Some(1500)), "1.5 ms");
        assert_eq!(shown("hits", "12", Some(12)), "12");
    }
}
