//! Finds where each field of a line begins and ends.
//!
//! Promises: one pass over the line, plus at most [`MAX_RETRIES`] second tries where text outside quotes ended too early at a
//! terminator that it holds itself; memory is reused; positions are always on character boundaries (every terminator and
//! every fixed grammar is ASCII or a whole string).
//!
//! Read next: `compile.rs` makes the steps, `build.rs` takes the spans.

use std::sync::Arc;

use memchr::{memchr2, memmem};

use super::Scratch;
use super::time::{Parts, Piece};

/// Second tries per line, over all fields.
pub(super) const MAX_RETRIES: usize = 64;

/// One step of reading a line.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// This text, no field.
    Literal(Box<[u8]>),
    /// Digits, or `-`.
    Digits,
    /// One of `X`, `+`, `-`.
    Mark,
    /// A time; `or_dash` where the status may switch it off.
    Time { pieces: Arc<[Piece]>, or_dash: bool },
    /// Until this byte (a quote or a control character) without a backslash before it: Apache escapes it inside text.
    Quoted(u8),
    /// Until this text, which cannot be inside.
    Until(Box<[u8]>),
    /// Until this text, which may be inside: if a later step does not fit, until its next occurrence.
    Retry { until: Box<[u8]>, text: Text },
    /// The rest of the line.
    Rest(Text),
}

/// What a text outside quotes may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// No blanks.
    Word,
    /// Blanks too.
    Open,
    /// Empty, `-`, or no blanks and a question mark first.
    Query,
}

/// A step that could end later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    step: usize,
    start: usize,
    search_from: usize,
    spans: usize,
}

impl Step {
    pub(super) fn is_field(&self) -> bool {
        !matches!(self, Self::Literal(_))
    }
}

/// Fills `scratch.spans` with one span per field step. On failure: the step that got furthest and where.
pub(super) fn scan(steps: &[Step], line: &str, scratch: &mut Scratch) -> Result<(), (usize, usize)> {
    let bytes = line.as_bytes();
    let Scratch { spans, choices } = scratch;
    spans.clear();
    choices.clear();
    let (mut step, mut at, mut from) = (0, 0, 0);
    let mut furthest = (0, 0);
    let mut retries = 0;
    loop {
        let end = match steps.get(step) {
            None if at == bytes.len() => return Ok(()),
            None => None,
            Some(Step::Retry { until, text }) => {
                let end = retry_end(bytes, at, from, until, *text);
                if let Some(end) = end {
                    choices.push(Choice { step, start: at, search_from: end.saturating_add(1), spans: spans.len() });
                }
                end
            }
            Some(step) => fixed_end(step, bytes, at),
        };
        if let Some(end) = end {
            if steps.get(step).is_some_and(Step::is_field) {
                spans.push((at, end));
            }
            (step, at, from) = (step + 1, end, end);
            continue;
        }
        if step > furthest.0 || retries == 0 {
            furthest = (step, at);
        }
        retries += 1;
        match choices.pop() {
            Some(choice) if retries <= MAX_RETRIES => {
                spans.truncate(choice.spans);
                (step, at, from) = (choice.step, choice.start, choice.search_from);
            }
            _ => return Err(furthest),
        }
    }
}

/// End of a text outside quotes that begins at `start`, looking for its terminator at or after `from`.
fn retry_end(bytes: &[u8], start: usize, from: usize, until: &[u8], text: Text) -> Option<usize> {
    let end = from.checked_add(memmem::find(bytes.get(from..)?, until)?)?;
    fits(bytes.get(start..end)?, text).then_some(end)
}

fn fits(value: &[u8], text: Text) -> bool {
    match text {
        Text::Open => true,
        Text::Word => !value.contains(&b' '),
        Text::Query => matches!(value, [] | b"-") || (value.starts_with(b"?") && !value.contains(&b' ')),
    }
}

fn fixed_end(step: &Step, bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let length = match step {
        Step::Literal(text) => rest.starts_with(text).then_some(text.len())?,
        Step::Digits => match rest.iter().take_while(|b| b.is_ascii_digit()).count() {
            0 if rest.first() == Some(&b'-') => 1,
            0 => return None,
            n => n,
        },
        Step::Mark => matches!(rest.first(), Some(b'X' | b'+' | b'-')).then_some(1)?,
        Step::Time { pieces, or_dash } => match Parts::default().read(pieces, bytes, at) {
            Some(end) => return Some(end),
            None if *or_dash && rest.first() == Some(&b'-') => 1,
            None => return None,
        },
        Step::Quoted(quote) => quoted_length(rest, *quote)?,
        Step::Until(text) => memmem::find(rest, text)?,
        Step::Rest(text) => fits(rest, *text).then_some(rest.len())?,
        Step::Retry { .. } => return None,
    };
    at.checked_add(length)
}

/// Bytes before the first `quote` that no backslash protects.
fn quoted_length(rest: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0usize;
    loop {
        let found = at.checked_add(memchr2(quote, b'\\', rest.get(at..)?)?)?;
        if rest.get(found) == Some(&quote) {
            return Some(found);
        }
        at = found.checked_add(2)?;
    }
}
