//! Escapes: what Apache and JSON write inside strings, text that is not UTF-8, and text shown to people.
//!
//! Promises: linear time, no panic on any bytes. Bytes that are no UTF-8 become the four characters `\xHH` (lower case) each,
//! never U+FFFD, so that different bytes stay different. (A client that really sends those four characters looks the same.)
//!
//! Read next: `json.rs` and `logformat/build.rs`, the two users. Source of Apache's escapes: `ap_escape_logitem`, server/util.c.

use std::borrow::Cow;
use std::fmt::Write as _;

use memchr::memchr;

/// Which escapes are known besides those of Apache (`\" \\ \b \n \r \t \v \xHH`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// None.
    Apache,
    /// Those of JSON: `\/ \f \uHHHH`.
    Json,
}

/// `bytes` as text; see the head for what becomes of invalid UTF-8.
pub(super) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len().saturating_add(32));
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                for byte in chunk.invalid() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
            Cow::Owned(text)
        }
    }
}

/// The bytes that `raw` stands for. An unknown escape stands for itself, backslash included.
pub(super) fn unescape_bytes(raw: &str, dialect: Dialect) -> Cow<'_, [u8]> {
    let bytes = raw.as_bytes();
    let Some(first) = memchr(b'\\', bytes) else { return Cow::Borrowed(bytes) };
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut next = Some(first);
    while let Some(at) = next {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(before);
        rest = one_escape(after.get(1..).unwrap_or_default(), dialect, &mut out);
        next = memchr(b'\\', rest);
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// The text that `raw` stands for.
pub(super) fn unescape(raw: &str, dialect: Dialect) -> Cow<'_, str> {
    match unescape_bytes(raw, dialect) {
        Cow::Borrowed(_) => Cow::Borrowed(raw),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| text_of(error.as_bytes()).into_owned())),
    }
}

/// At most `max_chars` of `bytes`, with everything that could disturb a terminal or a log escaped.
#[must_use]
pub fn shown(bytes: &[u8], max_chars: usize) -> String {
    // Four bytes hold any character, and only the beginning is shown: do not convert a megabyte for eighty characters.
    let head = bytes.get(..max_chars.saturating_mul(4).min(bytes.len())).unwrap_or(bytes);
    let text = text_of(head);
    let mut out = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(max_chars) {
        match c {
            '"' => out.push_str("\\\""),
            '\t' => out.push_str("\\t"),
            c if c.is_control() && c.is_ascii() => drop(write!(out, "\\x{:02x}", c as u32)),
            c if c.is_control() || is_invisible(c) => drop(write!(out, "\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    if chars.next().is_some() || head.len() < bytes.len() {
        out.push('…');
    }
    out
}

/// Bidirectional overrides, zero-width characters and the like.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Decodes the escape whose backslash has been taken off; returns what follows it.
fn one_escape<'a>(after: &'a [u8], dialect: Dialect, out: &mut Vec<u8>) -> &'a [u8] {
    let Some((kind, rest)) = after.split_first() else {
        out.push(b'\\');
        return after;
    };
    let json = dialect == Dialect::Json;
    let byte = match kind {
        b'"' | b'\\' => *kind,
        b'b' => 0x08,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'f' if json => 0x0c,
        b'/' if json => b'/',
        b'x' => match hex_number(rest, 2) {
            Some((value, rest)) => {
                out.push(value.to_le_bytes().first().copied().unwrap_or_default());
                return rest;
            }
            None => return keep(*kind, rest, out),
        },
        b'u' if json => return unicode_escape(rest, out),
        _ => return keep(*kind, rest, out),
    };
    out.push(byte);
    rest
}

fn keep<'a>(kind: u8, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    out.extend_from_slice(&[b'\\', kind]);
    rest
}

/// `\uHHHH`, with surrogate pairs (RFC 8259 section 7). A lone surrogate stands for itself.
fn unicode_escape<'a>(after: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((unit, rest)) = hex_number(after, 4) else { return keep(b'u', after, out) };
    let (code, rest) = match unit {
        0xd800..=0xdbff => match low_surrogate(rest) {
            Some((low, rest)) => (0x1_0000 + ((unit & 0x3ff) << 10) + (low & 0x3ff), rest),
            None => return keep(b'u', after, out),
        },
        _ => (unit, rest),
    };
    match char::from_u32(code) {
        Some(c) => {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest
        }
        None => keep(b'u', after, out),
    }
}

fn low_surrogate(rest: &[u8]) -> Option<(u32, &[u8])> {
    let (low, rest) = hex_number(rest.strip_prefix(b"\\u")?, 4)?;
    (0xdc00..=0xdfff).contains(&low).then_some((low, rest))
}

fn hex_number(bytes: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_at_checked(digits)?;
    let value = number.iter().try_fold(0u32, |value, digit| Some((value << 4) | char::from(*digit).to_digit(16)?))?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apache_escapes_come_back_as_sent() {
        assert_eq!(unescape(r#"a\"b\\c\tx\x1b[0m\v"#, Dialect::Apache), "a\"b\\c\tx\u{1b}[0m\u{b}");
        assert_eq!(unescape(r"caf\xc3\xa9", Dialect::Apache), "café");
        assert_eq!(unescape(r"\xff\xc3(", Dialect::Apache), "\\xff\\xc3(", "invalid UTF-8 keeps its escape");
        assert_eq!(unescape(r"\q\x4\", Dialect::Apache), r"\q\x4\", "what is no escape stays");
        assert_eq!(unescape(r"\u00e9\/", Dialect::Apache), r"\u00e9\/", "JSON escapes are none of Apache's");
    }

    #[test]
    fn json_escapes() {
        assert_eq!(unescape(r"\u00e9\/\f\ud83d\ude00", Dialect::Json), "é/\u{c}😀");
        assert_eq!(unescape(r"\ud83dx\u12", Dialect::Json), r"\ud83dx\u12", "a lone surrogate stays");
    }

    #[test]
    fn shown_text_cannot_disturb_a_terminal() {
        assert_eq!(shown(b"a\x1b[31m\"\xff\t", 80), "a\\x1b[31m\\\"\\xff\\t");
        assert_eq!(shown("x\u{202e}y\u{85}".as_bytes(), 80), "x\\u{202e}y\\u{85}");
        assert_eq!(shown(b"abcdef", 3), "abc…");
    }
}
