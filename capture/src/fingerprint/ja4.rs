//! JA4 of a TLS, QUIC or DTLS client (FoxIO-LLC/ja4, technical_details/JA4.md; BSD 3-Clause).
//!
//! Promises: follows the written rules where implementations differ (ALPN characters by byte, versions not in the table are
//! `00`, SNI flag by presence of extension 0x0000). Lists are sorted in a buffer that lives on the stack up to 128 values.
//!
//! Read next: `text.rs`; `facts.rs` for the callers.

use crate::fingerprint::text::{into_text, push_count, push_hex_list, push_nibble, push_sha12};
use crate::tls::hello::{ClientHello, EXT_ALPN, EXT_SERVER_NAME, EXT_SIGNATURE_ALGORITHMS, HelloTransport, is_grease};

/// The four forms of one client fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ja4 {
    /// Sorted, hashed.
    pub ja4: String,
    /// Sorted, raw.
    pub ja4_r: String,
    /// Original order, hashed.
    pub ja4_o: String,
    /// Original order, raw.
    pub ja4_ro: String,
}

/// All four forms.
#[must_use]
pub fn ja4(hello: &ClientHello<'_>, transport: HelloTransport) -> Ja4 {
    let head = ja4_a(hello, transport);
    let (sorted, original) = (Raw::sorted(hello, &head), Raw::original(hello, &head));
    let (ja4, ja4_o) = (sorted.hashed(&head), original.hashed(&head));
    Ja4 { ja4, ja4_r: into_text(sorted.text), ja4_o, ja4_ro: into_text(original.text) }
}

/// JA4 alone (sorted, hashed): what a filter at line rate needs.
#[must_use]
pub fn ja4_only(hello: &ClientHello<'_>, transport: HelloTransport) -> String {
    let head = ja4_a(hello, transport);
    Raw::sorted(hello, &head).hashed(&head)
}

/// The ten-character head: transport, version, SNI flag, counts, ALPN characters.
#[must_use]
pub fn ja4_a(hello: &ClientHello<'_>, transport: HelloTransport) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    out.push(transport.letter());
    out.extend_from_slice(version_text(hello.highest_version()).as_bytes());
    let named = hello.extension(EXT_SERVER_NAME).is_some();
    out.push(if named { b'd' } else { b'i' });
    push_count(&mut out, hello.cipher_suites.without_grease().count());
    push_count(&mut out, hello.extension_count());
    push_alpn(&mut out, hello.alpn().next());
    out
}

/// The two version characters of JA4.md; anything not in its table is `00`.
#[must_use]
pub fn version_text(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last byte of the first ALPN value if both are ASCII alphanumeric, else first and last digit of its hexadecimal form.
pub fn push_alpn(out: &mut Vec<u8>, first_value: Option<&[u8]>) {
    let ends = first_value.and_then(|value| Some((*value.first()?, *value.last()?)));
    match ends {
        None => out.extend_from_slice(b"00"),
        Some((first, last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            out.extend_from_slice(&[first, last]);
        }
        Some((first, last)) => {
            push_nibble(out, first >> 4);
            push_nibble(out, last);
        }
    }
}

/// The raw text of one order: `head_ciphers_extensions_signatures`; the hashed form is made from its parts.
struct Raw {
    text: Vec<u8>,
    /// Where the ciphers end.
    ciphers_end: usize,
}

impl Raw {
    fn sorted(hello: &ClientHello<'_>, head: &[u8]) -> Self {
        let mut text = Self::begin(hello, head);
        push_sorted_hex(&mut text, hello.cipher_suites.without_grease());
        let ciphers_end = text.len();
        text.push(b'_');
        let kinds = hello.extensions.kinds();
        push_sorted_hex(&mut text, kinds.filter(|kind| !is_grease(*kind) && *kind != EXT_SERVER_NAME && *kind != EXT_ALPN));
        Self::with_signatures(hello, text, ciphers_end)
    }

    fn original(hello: &ClientHello<'_>, head: &[u8]) -> Self {
        let mut text = Self::begin(hello, head);
        push_hex_list(&mut text, hello.cipher_suites.without_grease());
        let ciphers_end = text.len();
        text.push(b'_');
        push_hex_list(&mut text, hello.extensions.kinds().filter(|kind| !is_grease(*kind)));
        Self::with_signatures(hello, text, ciphers_end)
    }

    fn begin(hello: &ClientHello<'_>, head: &[u8]) -> Vec<u8> {
        let signatures = hello.u16_list(EXT_SIGNATURE_ALGORITHMS).len();
        let mut text =
            Vec::with_capacity(head.len() + 3 + (hello.cipher_suites.len() + hello.extension_count() + signatures) * 5);
        text.extend_from_slice(head);
        text.push(b'_');
        text
    }

    fn with_signatures(hello: &ClientHello<'_>, mut text: Vec<u8>, ciphers_end: usize) -> Self {
        let extensions_end = text.len();
        text.push(b'_');
        push_hex_list(&mut text, hello.u16_list(EXT_SIGNATURE_ALGORITHMS).without_grease());
        if text.len() == extensions_end + 1 {
            text.truncate(extensions_end);
        }
        Self { text, ciphers_end }
    }

    fn hashed(&self, head: &[u8]) -> String {
        let mut out = Vec::with_capacity(36);
        out.extend_from_slice(head);
        out.push(b'_');
        push_sha12(&mut out, self.text.get(head.len() + 1..self.ciphers_end).unwrap_or_default());
        out.push(b'_');
        push_sha12(&mut out, self.text.get(self.ciphers_end + 1..).unwrap_or_default());
        into_text(out)
    }
}

/// Appends values in ascending order as hexadecimal text. Hexadecimal of one width sorts as its numbers do.
fn push_sorted_hex(out: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    // Asked again behind its end.
    let mut values = values.fuse();
    let mut small = [0_u16; 128];
    let mut filled = 0_usize;
    for (place, value) in small.iter_mut().zip(values.by_ref()) {
        *place = value;
        filled += 1;
    }
    let list = small.get_mut(..filled).unwrap_or_default();
    let Some(next) = values.next() else {
        list.sort_unstable();
        return push_hex_list(out, list.iter().copied());
    };
    let mut list = list.iter().copied().chain([next]).chain(values).collect::<Vec<_>>();
    list.sort_unstable();
    push_hex_list(out, list.into_iter());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpn_characters_follow_the_written_examples() {
        let of = |value: &[u8]| {
            let mut out = Vec::new();
            push_alpn(&mut out, Some(value));
            into_text(out)
        };
        assert_eq!(of(b"h2"), "h2");
        assert_eq!(of(b"http/1.1"), "h1");
        assert_eq!(of(b"h"), "hh");
        assert_eq!(of(&[0x30, 0xab]), "3b");
        assert_eq!(of(&[0x30, 0xab, 0xcd, 0x31]), "01");
        assert_eq!(of(&[0xba, 0xad]), "bd");
        assert_eq!(of(b""), "00");
    }

    #[test]
    fn lists_over_the_stack_buffer_are_sorted_too() {
        let mut text = Vec::new();
        push_sorted_hex(&mut text, (0..300_u16).rev());
        let text = into_text(text);
        assert!(text.starts_with("0000,0001,") && text.ends_with(",012b") && text.len() == 300 * 5 - 1);
    }
}
