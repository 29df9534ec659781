//! JSON text from arbitrary bytes, into a counter or a fixed buffer.
//!
//! Promises: the output is valid JSON and valid UTF-8 whatever the bytes; a text is never cut inside a character or an escape;
//! a byte that is not UTF-8 becomes the four characters `\xhh` (`\\xhh` in JSON), as in Apache's own logs, and is counted so
//! that a reader can tell it from a client that sent these four characters. Read next: `record.rs`.

use std::fmt;

/// Where JSON goes: [`Counter`] to measure, [`Fill`] to write. Both passes run the same code, so they agree.
pub trait Out {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

/// Counts bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counter {
    /// Bytes put so far.
    pub len: usize,
}

impl Out for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len());
    }
}

/// Writes into a fixed buffer; what does not fit is left out and remembered.
#[derive(Debug)]
pub struct Fill<'a> {
    free: &'a mut [u8],
    /// Bytes put so far.
    pub len: usize,
    /// Whether something did not fit.
    pub overflowed: bool,
}

impl<'a> Fill<'a> {
    /// Starts at the beginning of `buffer`.
    #[must_use]
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { free: buffer, len: 0, overflowed: false }
    }
}

impl Out for Fill<'_> {
    fn put(&mut self, bytes: &[u8]) {
        match std::mem::take(&mut self.free).split_at_mut_checked(bytes.len()) {
            Some((target, rest)) => {
                target.copy_from_slice(bytes);
                self.free = rest;
                self.len = self.len.saturating_add(bytes.len());
            }
            None => self.overflowed = true, // and `free` stays empty: nothing is put after a gap
        }
    }
}

/// Lets `write!` append numbers and addresses, whose text needs no escape.
pub struct Plain<'a, O>(pub &'a mut O);

impl<O: Out> fmt::Write for Plain<'_, O> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.put(text.as_bytes());
        Ok(())
    }
}

/// What [`string`] did to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Whether the end was left out because of the limit.
    pub cut: bool,
    /// Bytes replaced by `\xhh`.
    pub invalid_bytes: u32,
}

/// Puts `bytes` as a JSON string with its quotes; at most `limit` bytes between them.
pub fn string(out: &mut impl Out, bytes: &[u8], limit: usize) -> Written {
    let mut written = Written::default();
    let mut room = limit;
    out.put(b"\"");
    'text: for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while !rest.is_empty() {
            let plain_len = rest.bytes().position(needs_escape).unwrap_or(rest.len());
            let (plain, tail) = rest.split_at_checked(plain_len).unwrap_or((rest, ""));
            if plain.len() > room {
                out.put(plain.get(..plain.floor_char_boundary(room)).unwrap_or_default().as_bytes());
                written.cut = true;
                break 'text;
            }
            out.put(plain.as_bytes());
            room = room.saturating_sub(plain.len());
            let Some(special) = tail.bytes().next() else { break };
            if !put_within(out, &mut room, escape(special).as_bytes()) {
                written.cut = true;
                break 'text;
            }
            rest = tail.get(1..).unwrap_or_default(); // every byte that needs an escape is ASCII
        }
        for byte in chunk.invalid() {
            if !put_within(out, &mut room, &[b'\\', b'\\', b'x', hex(byte >> 4), hex(byte & 0xf)]) {
                written.cut = true;
                break 'text;
            }
            written.invalid_bytes = written.invalid_bytes.saturating_add(1);
        }
    }
    out.put(b"\"");
    written
}

fn put_within(out: &mut impl Out, room: &mut usize, bytes: &[u8]) -> bool {
    let Some(left) = room.checked_sub(bytes.len()) else { return false };
    *room = left;
    out.put(bytes);
    true
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f)
}

struct Escape([u8; 6], usize);

impl Escape {
    fn as_bytes(&self) -> &[u8] {
        self.0.get(..self.1).unwrap_or_default()
    }
}

fn escape(byte: u8) -> Escape {
    let short = |letter| Escape([b'\\', letter, 0, 0, 0, 0], 2);
    match byte {
        b'"' | b'\\' => short(byte),
        b'\n' => short(b'n'),
        b'\r' => short(b'r'),
        b'\t' => short(b't'),
        _ => Escape([b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 0xf)], 6),
    }
}

fn hex(nibble: u8) -> u8 {
    match nibble {
        0..=9 => nibble.saturating_add(b'0'),
        _ => nibble.saturating_add(b'a' - 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: &[u8], limit: usize) -> (String, Written) {
        let mut buffer = vec![0; bytes.len() * 6 + 2];
        let mut fill = Fill::new(&mut buffer);
        let written = string(&mut fill, bytes, limit);
        let len = fill.len;
        (String::from_utf8(buffer[..len].to_vec()).expect("JSON is UTF-8"), written)
    }

    #[test]
    fn escapes_are_the_stated_ones() {
        assert_eq!(text(b"a\"b\\c\n\t\x00\x1b\x7f/", 99).0, r#""a\"b\\c\n\t\u0000\u001b\u007f/""#);
        assert_eq!(text("é\u{202e}😀".as_bytes(), 99).0, "\"é\u{202e}😀\"");
        assert_eq!(
            text(b"x\xff\xc3(\xe2\x82", 99),
            (r#""x\\xff\\xc3(\\xe2\\x82""#.into(), Written { cut: false, invalid_bytes: 4 })
        );
    }

    #[test]
    fn a_cut_falls_between_characters_and_escapes() {
        assert_eq!(text("aé".as_bytes(), 2), ("\"a\"".into(), Written { cut: true, invalid_bytes: 0 }));
        assert_eq!(text(b"a\x01", 6).0, "\"a\"");
        assert_eq!(text(b"a\xff\xff", 6), (r#""a\\xff""#.into(), Written { cut: true, invalid_bytes: 1 }));
        assert_eq!(text(b"abc", 3), ("\"abc\"".into(), Written::default()));
        assert!(text(b"abc", 0).1.cut);
    }

    #[test]
    fn a_full_buffer_takes_nothing_more() {
        let mut buffer = [0; 4];
        let mut fill = Fill::new(&mut buffer);
        fill.put(b"abc");
        fill.put(b"de");
        fill.put(b"f");
        assert!(fill.overflowed);
        assert_eq!((fill.len, &buffer), (3, b"abc\0"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_valid_json_within_the_limit(bytes in proptest::collection::vec(any::<u8>(), 0..80), limit in 0usize..200) {
            let (json, written) = text(&bytes, limit);
            let mut counter = Counter::default();
            prop_assert_eq!(string(&mut counter, &bytes, limit), written);
            prop_assert_eq!(counter.len, json.len());
            prop_assert!(json.len() <= limit + 2);
            let back: String = serde_json::from_str(&json).expect("valid JSON");
            if let Ok(sent) = std::str::from_utf8(&bytes) {
                prop_assert!(sent.starts_with(&back));
                prop_assert_eq!(written.cut, sent != back);
            }
        }
    }
}
