//! Names of formats, and `auto`: which format the first lines of a log have.
//!
//! Promises: depends on the first lines only (at most [`SAMPLE_LINES`]), never on the file's name; a format is taken if it
//! fits at least half of them and no other fits more; what could not be told apart for certain is said in a note.
//!
//! Read next: `log.rs`, which collects the sample.

use std::str::FromStr;

use ja4_event::HttpEvent;

use super::logformat::Scratch;
use super::{Damage, JsonReader, LogFormat, Parser, foreign, shown};
use crate::error::JoinError;

/// Lines that detection looks at.
pub(super) const SAMPLE_LINES: usize = 64;

/// Formats that can be given by name. The names are those of the configurations of httpd and Debian.
pub const NAMED_FORMATS: &[(&str, &str)] = &[
    ("common", r#"%h %l %u %t "%r" %>s %b"#),
    ("vhost_common", r#"%v %h %l %u %t "%r" %>s %b"#),
    ("combined", r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#),
    ("vhost_combined", r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#),
    ("combinedio", r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O"#),
    ("combined_ports", r#"%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %{remote}p %{local}p %{c}a"#),
];

/// How to read a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Format {
    /// Look at the first lines.
    #[default]
    Auto,
    /// JSON lines: the module's or those of a JSON LogFormat.
    Json,
    /// An Apache format string.
    LogFormat(String),
}

impl FromStr for Format {
    type Err = JoinError;

    /// `auto`, `reqin` (or `json`), a name of [`NAMED_FORMATS`], or a LogFormat string.
    fn from_str(text: &str) -> Result<Self, JoinError> {
        match text {
            "auto" => Ok(Self::Auto),
            "reqin" | "json" => Ok(Self::Json),
            _ => match NAMED_FORMATS.iter().find(|(name, _)| *name == text) {
                Some((_, format)) => Ok(Self::LogFormat((*format).to_owned())),
                None if text.contains('%') => LogFormat::compile(text).map(|_| Self::LogFormat(text.to_owned())),
                None => Err(JoinError::LogFormat {
                    reason: format!(
                        "\"{}\" is neither a format string such as \"%h %t\" nor one of auto, reqin, {}",
                        shown(text.as_bytes(), 60),
                        NAMED_FORMATS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
                    ),
                }),
            },
        }
    }
}

/// Formats tried, in this order: of several that fit equally well the first is taken.
const CANDIDATES: &[Candidate] = &[
    Candidate { format: r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#, likely: address_known, note: None },
    Candidate { format: r#"%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#, likely: address_known, note: None },
    Candidate {
        format: r#"%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %{remote}p %{local}p %{c}a"#,
        likely: address_known,
        note: None,
    },
    Candidate {
        format: r#"%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %{remote}p %{local}p"#,
        likely: both_ports,
        note: Some("two numbers at the end of each line were taken for %{remote}p %{local}p; name the format to be sure"),
    },
    Candidate {
        format: r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O"#,
        likely: always,
        note: Some("two numbers at the end of each line were taken for %I %O; name the format to be sure"),
    },
    Candidate {
        format: r#"%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %{remote}p"#,
        likely: peer_port,
        note: Some("a number at the end of each line was taken for %{remote}p; name the format to be sure"),
    },
    Candidate { format: r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#, likely: always, note: None },
    Candidate { format: r#"%v:%p %h %l %u %t "%r" %>s %b"#, likely: address_known, note: None },
    Candidate { format: r#"%v %h %l %u %t "%r" %>s %b"#, likely: address_known, note: None },
    Candidate { format: r#"%h %l %u %t "%r" %>s %b"#, likely: always, note: None },
];

struct Candidate {
    format: &'static str,
    /// Whether the values of a line that fits are likely for this format.
    likely: fn(&HttpEvent) -> bool,
    note: Option<&'static str>,
}

/// Makes the parser for a format; `Auto` by the first lines of the log called `file`.
pub(super) fn parser(format: &Format, file: &str, sample: &[&[u8]], damage: &mut Damage) -> Result<Parser, JoinError> {
    match format {
        Format::Json => Ok(Parser::Json(Box::default())),
        Format::LogFormat(text) => Ok(line_parser(LogFormat::compile(text)?, damage)),
        Format::Auto => detect(file, sample, damage),
    }
}

fn line_parser(format: LogFormat, damage: &mut Damage) -> Parser {
    format.caveats().iter().for_each(|caveat| damage.note(caveat));
    Parser::Line { format: Box::new(format), scratch: Scratch::default() }
}

fn detect(file: &str, sample: &[&[u8]], damage: &mut Damage) -> Result<Parser, JoinError> {
    let text_lines: Vec<&[u8]> = sample.iter().copied().filter(|line| !looks_binary(line)).collect();
    let Some(first) = text_lines.first() else {
        return Err(JoinError::NotALog {
            what: "binary data".into(),
            advice: "give the server's access log",
            file: file.to_owned(),
        });
    };
    let enough = |count: usize| count > 0 && count.saturating_mul(2) >= text_lines.len();
    let mut ignored = Damage::default();
    let json = text_lines.iter().filter(|line| JsonReader::default().parse(line, &mut ignored).is_ok()).count();
    if enough(json) {
        return Ok(Parser::Json(Box::default()));
    }
    let mut best: Option<(usize, LogFormat, &Candidate)> = None;
    for candidate in CANDIDATES {
        let format = LogFormat::compile(candidate.format)?;
        let mut scratch = Scratch::default();
        let events: Vec<_> = text_lines.iter().filter_map(|line| format.parse(line, &mut scratch, &mut ignored).ok()).collect();
        let likely = events.iter().filter(|event| (candidate.likely)(event)).count();
        // Nine of ten: a few odd lines must not turn ports into byte counts.
        let count = if likely.saturating_mul(10) >= events.len().saturating_mul(9) { events.len() } else { 0 };
        if enough(count) && best.as_ref().is_none_or(|(most, _, _)| count > *most) {
            best = Some((count, format, candidate));
        }
    }
    match best {
        Some((_, format, candidate)) => {
            candidate.note.iter().for_each(|note| damage.note(note));
            Ok(line_parser(format, damage))
        }
        None => Err(foreign::refused(first, file).unwrap_or_else(|| JoinError::UnknownFormat {
            beginning: shown(first, 80),
            hint: hint(first),
            file: file.to_owned(),
        })),
    }
}

/// Why the nearest format does not fit the first line.
fn hint(first: &[u8]) -> String {
    let mut ignored = Damage::default();
    if first.trim_ascii_start().starts_with(b"{") {
        return match JsonReader::default().parse(first, &mut ignored) {
            Err(reason) => format!(" (as a JSON record it {reason})"),
            Ok(_) => String::new(),
        };
    }
    let format = NAMED_FORMATS.iter().find(|(name, _)| *name == "combined").map(|(_, format)| *format).unwrap_or_default();
    match LogFormat::compile(format).map(|format| format.parse(first, &mut Scratch::default(), &mut ignored)) {
        Ok(Err(reason)) => format!(" (as combined it {reason})"),
        _ => String::new(),
    }
}

/// A NUL, or more than a tenth of other control bytes.
fn looks_binary(line: &[u8]) -> bool {
    let control = line.iter().filter(|b| b.is_ascii_control() && **b != b'\t' && **b != 0x1b).count();
    line.contains(&0) || control.saturating_mul(10) > line.len()
}

fn always(_: &HttpEvent) -> bool {
    true
}

fn address_known(event: &HttpEvent) -> bool {
    event.src_ip.is_some()
}

fn peer_port(event: &HttpEvent) -> bool {
    event.src_port.is_some_and(|port| port >= 1_024)
}

fn both_ports(event: &HttpEvent) -> bool {
    peer_port(event)
        && matches!(event.dst_port, Some(80 | 81 | 443 | 8_000 | 8_008 | 8_080 | 8_081 | 8_443 | 8_888 | 4_433 | 9_443))
}
