//! Apache `LogFormat` strings: compiled once, then lines are read back by them.
//!
//! Promises: a format that cannot be read back without guessing is refused with the position; reading is one pass with a
//! bounded number of second tries ([`scan::MAX_RETRIES`]) where text without quotes ends at a blank it may hold; values come out
//! as the client sent them (Apache's escapes undone). Text in quotes cannot forge other fields, because Apache escapes quotes.
//!
//! Which field of the event each directive fills:
//! `src_ip` `%{c}a`, else `%{c}h`, `%a`, `%h` · `client_ip` `%a`, else `%h` · ports `%{remote}p`, `%{local}p` (else `%p`) ·
//! `host` `%{Host}i`, else that of an absolute request target, else `%V` · `server` `%v` · `path` and `query` `%r`, else `%U` (decoded)
//! and `%q` · `status` `%>s`, else `%s` · `response_bytes` `%O`, else `%b` or `%B` (without headers: noted) · `request_bytes` `%I` or `%S − %O` ·
//! `duration_us` `%D` or `%T` · `request_no` `%k` (not for HTTP/2) · `conn_id` `%{c}L` · `scheme` from `%{SSL_PROTOCOL}x` or `%{HTTPS}x`.
//!
//! Read next: `lex.rs` → `compile.rs` → `scan.rs` → `build.rs`; `time.rs` for `%t`. Reference: httpd manual, mod_log_config.

mod build;
mod compile;
mod lex;
mod meaning;
mod request;
mod scan;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;

use ja4_event::HttpEvent;

use super::escape::text_of;
use super::headers::NamedHeaders;
use super::{Damage, Reason, shown};
use crate::error::JoinError;

pub(super) use request::split_request_line;

/// A compiled format.
#[derive(Debug, Clone)]
pub struct LogFormat {
    /// The format as given, for messages.
    text: String,
    steps: Vec<scan::Step>,
    /// What each field step means, in the order of the line.
    fields: Vec<meaning::Field>,
    named: NamedHeaders,
    /// Said once per log: what this format cannot tell.
    caveats: Vec<&'static str>,
}

/// Memory of the reader that is used again for each line.
#[derive(Debug, Default, Clone)]
pub struct Scratch {
    spans: Vec<(usize, usize)>,
    choices: Vec<scan::Choice>,
}

impl LogFormat {
    /// Compiles a format string, or a whole `LogFormat "…" name` line of a configuration.
    ///
    /// # Errors
    /// [`JoinError::LogFormat`] with the position (characters of the format, from 1) of what is unknown or ambiguous.
    pub fn compile(text: &str) -> Result<Self, JoinError> {
        compile::compile(text).map_err(|reason| JoinError::LogFormat { reason })
    }

    /// Reads one line.
    ///
    /// # Errors
    /// A phrase that says why the record is damaged: which directive did not fit, and where in the line.
    pub fn parse(&self, line: &[u8], scratch: &mut Scratch, damage: &mut Damage) -> Result<HttpEvent, Reason> {
        let text = text_of(line);
        scan::scan(&self.steps, &text, scratch).map_err(|(step, at)| self.misfit(step, at, &text))?;
        build::build(&self.fields, &text, &scratch.spans, damage)
    }

    /// Headers that the format names: of these, and only these, a log by it knows the absence.
    #[must_use]
    pub fn named_headers(&self) -> &NamedHeaders {
        &self.named
    }

    /// What a log by this format cannot tell, or not exactly.
    #[must_use]
    pub fn caveats(&self) -> &[&'static str] {
        &self.caveats
    }

    /// The format, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("LogFormat \"{}\"", shown(self.text.as_bytes(), 400))
    }

    fn misfit(&self, step: usize, at: usize, line: &str) -> Reason {
        let fields_before = self.steps.iter().take(step).filter(|s| s.is_field()).count();
        let wanted = match self.steps.get(step) {
            None => Cow::Borrowed("the end of the record"),
            Some(scan::Step::Literal(text)) => format!("\"{}\"", shown(text, 20)).into(),
            Some(_) => self.fields.get(fields_before).map_or(Cow::Borrowed(""), |field| Cow::Borrowed(field.directive.as_str())),
        };
        let found = line.as_bytes().get(at..).unwrap_or_default();
        let found = if found.is_empty() { "the record ends".to_owned() } else { format!("there is \"{}\"", shown(found, 20)) };
        format!("does not follow the LogFormat: {wanted} is expected at byte {at}, where {found}").into()
    }
}
