//! Files that people write in TOML: read strictly, so that a slip is told with file, line and key, and what is allowed.
//!
//! Promises: an unknown key, a value of the wrong kind or out of its range is refused with its line; nothing is guessed.
//!
//! Read next: `synth/scenario.rs`, `experiment/plan.rs` (what is read with it).

use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::error::LabError;

/// Longest file that is read; larger is no file a person wrote.
const MAX_BYTES: u64 = 4 << 20;

/// A text file with the name it is called by in messages.
#[derive(Debug, Clone)]
pub struct TextFile {
    /// What it is, e.g. `scenario`.
    what: &'static str,
    /// Where it came from.
    name: String,
    /// What it holds.
    pub text: String,
}

impl TextFile {
    /// Reads `path`.
    ///
    /// # Errors
    /// It cannot be read, is larger than 4 MiB, or is not UTF-8.
    pub fn read(what: &'static str, path: &Path) -> Result<Self, LabError> {
        let fail = |detail: String| LabError::Ask(format!("read {what} {}: {detail}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?;
        if !size.is_file() {
            return Err(fail(format!("it is no file; name a {what} file (*.toml)")));
        }
        if size.len() > MAX_BYTES {
            return Err(fail(format!("it has {} bytes; a {what} file has at most {MAX_BYTES}", size.len())));
        }
        let text = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
        let text = String::from_utf8(text).map_err(|_| fail("it is not UTF-8 text".to_owned()))?;
        Ok(Self { what, name: path.display().to_string(), text })
    }

    /// A text that stands for a file.
    #[must_use]
    pub fn of(what: &'static str, name: &str, text: &str) -> Self {
        Self { what, name: name.to_owned(), text: text.to_owned() }
    }

    /// What the file says.
    ///
    /// # Errors
    /// With the line, what is wrong there and what is allowed.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, LabError> {
        toml::from_str(&self.text).map_err(|error| match error.span() {
            Some(span) => self.wrong(span, error.message()),
            None => LabError::Ask(format!("read {} {}: {}", self.what, self.name, error.message())),
        })
    }

    /// The error for what stands at `span` (bytes of the text).
    pub fn wrong(&self, span: Range<usize>, detail: impl Display) -> LabError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let text = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let key = text.split_once('=').map_or("", |(key, _)| key.trim());
        let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
        LabError::Ask(format!("read {} {}, line {line}: {key}{}", self.what, self.name, detail.to_string().replace('\n', " ")))
    }
}

/// A time span, written `500ms`, `10s`, `2m`, `1h` or `3d`; whole nanoseconds, may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub i64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl Span {
    /// Reads a span.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no time span; write 500ms, 10s, 2m, 1h or 3d (units us, ms, s, m, h, d), at most 3660d");
        let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at_checked(split).ok_or_else(wrong)?;
        let unit_ns = match unit {
            "us" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            "d" => 86_400e9,
            _ => return Err(wrong()),
        };
        let value = number.trim().parse::<f64>().map_err(|_| wrong())? * unit_ns;
        if !value.is_finite() || value.abs() > 3_660.0 * 86_400e9 {
            return Err(wrong());
        }
        #[allow(clippy::cast_possible_truncation, reason = "bounded one line above")]
        Ok(Self(value.round() as i64))
    }
}

/// A share, 0 to 1.
///
/// # Errors
/// Anything else.
pub fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(from)?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(D::Error::custom(format!("{value} is no share; allowed is 0.0 to 1.0")))
    }
}

/// A whole number from `LOW` to `HIGH`.
///
/// # Errors
/// Anything else.
pub fn whole<'de, const LOW: u64, const HIGH: u64, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let value = i64::deserialize(from)?;
    let found = u64::try_from(value).ok().filter(|value| (LOW..=HIGH).contains(value));
    found.ok_or_else(|| D::Error::custom(format!("{value} is out of range; allowed are whole numbers from {LOW} to {HIGH}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        pause: Span,
        #[serde(deserialize_with = "share")]
        loss: f64,
        #[serde(deserialize_with = "whole::<1, 10, _>")]
        count: u64,
    }

    #[test]
    fn a_slip_is_told_with_its_line_and_key() {
        let parse = |text: &str| TextFile::of("sample", "x.toml", text).parse::<Sample>();
        let good = parse("pause = \"1.5s\"\nloss = 0.5\ncount = 3\n").unwrap();
        assert_eq!((good.pause, good.loss, good.count), (Span(1_500_000_000), 0.5, 3));
        for (text, part) in [
            ("loss = 0.5\ncount = 30\n", "line 2: count: 30 is out of range; allowed are whole numbers from 1 to 10"),
            ("loss = 1.5\ncount = 3\n", "line 1: loss: 1.5 is no share; allowed is 0.0 to 1.0"),
            ("pause = \"5 parsec\"\nloss = 1.0\ncount = 3\n", "line 1: pause: \"5 parsec\" is no time span; write 500ms"),
            (
                "loss = 1.0\ncount = 3\ncolour = 1\n",
                "line 3: colour: unknown field `colour`, expected one of `pause`, `loss`, `count`",
            ),
            ("loss = 1.0\n", "missing field `count`"),
            ("loss = \n", "line 1"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("x.toml"), "{message}");
        }
    }
}
