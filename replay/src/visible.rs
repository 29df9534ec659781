//! Text from outside where it could act: on a terminal, in a log, in JSON that someone prints.
//!
//! Promises: no control character, escape sequence or bidirectional override comes out raw; JSON still reads back as what was put in.
//!
//! Read next: `live/sinks.rs` and the tables of the command line, which write by it.

use std::fmt::Write as _;

/// `text` with everything that would act on a terminal shown as an escape.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A JSON string in which acting characters are `\uXXXX`, so that printing it is harmless.
#[must_use]
pub fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    push_json_text(text, &mut out);
    out
}

/// As [`json_text`], at the end of `out`.
pub fn push_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if acts(c) => push_units(c, out),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// JSON that another writer made, with the acting characters inside its texts as `\uXXXX`.
#[must_use]
pub fn visible_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) { push_units(c, &mut out) } else { out.push(c) }
    }
    out
}

fn push_units(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// Controls (C0, DEL, C1), line and paragraph separators, bidirectional controls, zero-width and tag characters.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        let hostile = "a\u{1b}]0;x\u{7}\r\n\u{202e}b\u{200b}\u{9b}31m";
        assert!(!visible(hostile).chars().any(acts));
        let json = json_text(hostile);
        assert!(!json.chars().any(acts));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
        let astral = "\u{e0041}";
        assert_eq!(serde_json::from_str::<String>(&json_text(astral)).unwrap(), astral);
    }
}
