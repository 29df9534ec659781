//! A small JSON reader that also accepts what Apache writes into JSON templates: `\xHH` and `\v` inside strings, a bare `-` for
//! "absent", raw control characters.
//!
//! Promises: one pass, no recursion, no copy of a string without escapes; depth and length are bounded by the caller's line
//! limit and [`MAX_DEPTH`]; any bytes end in a value or in a fault with its byte position.
//!
//! Read next: `reqin.rs`, its one user.

use std::borrow::Cow;

use memchr::memchr2;

use super::Reason;
use super::escape::{Dialect, unescape};

/// Deepest nesting inside a value that is skipped.
const MAX_DEPTH: usize = 64;

/// A value that is no list and no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// `null`, or a bare `-`.
    Null,
    Bool(bool),
    /// A number as written, or a string.
    Text(Cow<'a, str>),
    /// A list or object, skipped.
    Compound,
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Takes `wanted` if it comes next.
    pub(super) fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Takes `wanted` or fails.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), Reason> {
        if self.eat(wanted) { Ok(()) } else { Err(self.fault(&format!("\"{}\" is missing", char::from(wanted)))) }
    }

    /// After an element: `true` if another follows, `false` if `close` ended the list.
    pub(super) fn more(&mut self, close: u8) -> Result<bool, Reason> {
        if self.eat(b',') {
            return Ok(true);
        }
        self.expect(close).map(|()| false)
    }

    /// A string, escapes decoded.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Reason> {
        self.expect(b'"')?;
        let (raw, escaped) = self.raw_string()?;
        Ok(if escaped { unescape(raw, Dialect::Json) } else { Cow::Borrowed(raw) })
    }

    /// A scalar; lists and objects are skipped.
    pub(super) fn scalar(&mut self) -> Result<Scalar<'a>, Reason> {
        match self.peek() {
            Some(b'"') => self.string().map(Scalar::Text),
            Some(b'{' | b'[') => self.skip_compound().map(|()| Scalar::Compound),
            _ => match self.word() {
                "-" | "null" => Ok(Scalar::Null),
                "true" => Ok(Scalar::Bool(true)),
                "false" => Ok(Scalar::Bool(false)),
                word if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Ok(Scalar::Text(Cow::Borrowed(word))),
                _ => Err(self.fault("a value is missing")),
            },
        }
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<(), Reason> {
        if self.peek().is_none() { Ok(()) } else { Err(self.fault("text follows the record")) }
    }

    /// A reason that names the place.
    pub(super) fn fault(&self, what: &str) -> Reason {
        if self.at >= self.text.len() {
            return format!("is cut off: {what} at its end").into();
        }
        format!("is not valid JSON: {what} at byte {}", self.at).into()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// After the opening quote: the raw content and whether it holds a backslash.
    fn raw_string(&mut self) -> Result<(&'a str, bool), Reason> {
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            match quote_or_backslash(rest) {
                Some(n) if rest.get(n) == Some(&b'"') => {
                    let raw = self.text.get(start..self.at + n);
                    self.at += n + 1;
                    return raw.map(|raw| (raw, escaped)).ok_or_else(|| self.fault("a string is broken"));
                }
                // The escaped character may be longer than a byte; its other bytes are no quote and no backslash.
                Some(n) => {
                    escaped = true;
                    self.at += n + 2;
                }
                None => {
                    self.at = self.text.len();
                    return Err(self.fault("a string has no end"));
                }
            }
        }
    }

    /// Letters, digits and what numbers need.
    fn word(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')).count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Skips a list or object without recursion; its grammar is checked for brackets and strings only.
    fn skip_compound(&mut self) -> Result<(), Reason> {
        let mut depth = 0usize;
        loop {
            let Some(byte) = self.peek() else { return Err(self.fault("a list or object has no end")) };
            self.at += 1;
            match byte {
                b'{' | b'[' if depth == MAX_DEPTH => return Err(self.fault("nesting is too deep")),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'"' => drop(self.raw_string()?),
                b',' | b':' => {}
                // Skipping whole words keeps `at` on a character boundary.
                _ => {
                    self.at -= 1;
                    if self.word().is_empty() {
                        return Err(self.fault("a value is missing"));
                    }
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// Most strings of a record are shorter than it takes to start a vector search: the first 32 bytes are looked at by words.
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The lowest high bit set marks the first zero byte (Hacker's Delight, section 6-1).
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0usize;
    for chunk in bytes.as_chunks::<8>().0.iter().take(4) {
        let word = u64::from_le_bytes(*chunk);
        let found = zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c));
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    memchr2(b'"', b'\\', bytes.get(at..)?).map(|rest| at + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Result<Scalar<'_>, Reason> {
        let mut cursor = Cursor::new(text);
        let value = cursor.scalar()?;
        cursor.end().map(|()| value)
    }

    #[test]
    fn values() {
        assert_eq!(scalar(" -1.5e3 "), Ok(Scalar::Text("-1.5e3".into())));
        assert_eq!(scalar("-"), Ok(Scalar::Null));
        assert_eq!(scalar("null"), Ok(Scalar::Null));
        assert_eq!(scalar("true"), Ok(Scalar::Bool(true)));
        assert_eq!(scalar(r#""a\x41\"\\\u00e9""#), Ok(Scalar::Text("aA\"\\é".into())));
        assert_eq!(scalar(r#"{"a":[1,{"b":"]}"}],"c":null}"#), Ok(Scalar::Compound));
    }

    #[test]
    fn faults_name_the_place() {
        assert_eq!(scalar("\"abc"), Err("is cut off: a string has no end at its end".into()));
        assert_eq!(scalar("\"abc\\"), Err("is cut off: a string has no end at its end".into()));
        assert_eq!(scalar("1 2"), Err("is not valid JSON: text follows the record at byte 2".into()));
        assert!(scalar("é").is_err());
        assert!(scalar("[é]").is_err());
        assert!(scalar(&"[".repeat(100)).is_err());
        assert!(scalar(&"[".repeat(20)).is_err());
    }
}
