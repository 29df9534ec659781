//! HTTP log readers: from a file, a pipe or a growing log to [`ja4_event::HttpEvent`]s.
//!
//! Promises: memory does not depend on the length of the input; one bad record never stops a log (it is counted in [`Damage`]
//! with file, line and byte offset); nothing is guessed silently (see [`Damage::notes`]); a given input gives the same events
//! however it is split into reads, compressed or not. Text that is not UTF-8 keeps each such byte as the four characters
//! `\xHH`. Values of Cookie and Authorization are replaced by their length in bytes.
//!
//! Read next: [`HttpLog`] (files), [`HttpTail`] (growing logs), `reqin.rs` (JSON), `logformat/mod.rs` (Apache formats).

mod clock;
mod damage;
mod detect;
mod escape;
mod follow;
mod foreign;
mod headers;
mod input;
mod json;
mod lines;
mod log;
mod logformat;
mod reqin;
mod source;
mod tail;
#[cfg(test)]
mod tests;

pub use damage::{Damage, DamagedRecord, Position};
pub use detect::{Format, NAMED_FORMATS};
pub use escape::shown;
pub use follow::FileState;
pub use headers::{NamedHeaders, secret_bytes};
pub use log::{HttpLog, HttpLogOptions};
pub use logformat::LogFormat;
pub use reqin::JsonReader;
pub use source::{HttpSource, Line};
pub use tail::{HttpTail, MAX_OLD_FILES, OLD_FILE_IDLE_POLLS, TailReport, TailState};

use ja4_event::HttpEvent;
use std::borrow::Cow;

/// Why a record was damaged: one phrase, no position.
pub type Reason = Cow<'static, str>;

/// Turns one line into an event, by one of the formats.
#[derive(Debug)]
pub(crate) enum Parser {
    Json(Box<JsonReader>),
    Line { format: Box<LogFormat>, scratch: logformat::Scratch },
}

impl Parser {
    fn parse(&mut self, line: &[u8], damage: &mut Damage) -> Result<HttpEvent, Reason> {
        if memchr::memchr(0, line).is_some() {
            return Err(Cow::Borrowed("holds a NUL byte"));
        }
        match self {
            Self::Json(reader) => reader.parse(line, damage),
            Self::Line { format, scratch } => format.parse(line, scratch, damage),
        }
    }

    fn named_headers(&self) -> &NamedHeaders {
        match self {
            Self::Json(reader) => reader.named_headers(),
            Self::Line { format, .. } => format.named_headers(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Json(reader) => reader.describe().to_owned(),
            Self::Line { format, .. } => format.describe(),
        }
    }
}
