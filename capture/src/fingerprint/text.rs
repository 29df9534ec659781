//! The little formatting that fingerprints need, without `format!`: hexadecimal and decimal into a reused buffer, hashes to hex.
//!
//! Promises: lower case ASCII, no allocation beyond the buffer handed in. Text is built as bytes, which costs half as much as
//! appending to a `String`, and made a `String` once by [`into_text`].
//!
//! Read next: `ja4.rs`.

use md5::{Digest, Md5};
use sha2::Sha256;

const HEX: &[u8; 16] = b"0123456789abcdef";
/// `00`, `01`, … `ff`.
static PAIRS: [[u8; 2]; 256] = {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [HEX[byte >> 4], HEX[byte & 15]];
        byte += 1;
    }
    pairs
};
/// `000`, `001`, … `999`.
static TRIPLES: [[u8; 3]; 1000] = {
    let mut triples = [[b'0'; 3]; 1000];
    let mut value = 0;
    while value < 1000 {
        triples[value] = [b'0' + (value / 100) as u8, b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    triples
};

/// Text that was built of ASCII.
#[must_use]
pub fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

#[inline]
fn pair(byte: u8) -> [u8; 2] {
    PAIRS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Appends one hexadecimal digit (the low four bits).
pub fn push_nibble(out: &mut Vec<u8>, nibble: u8) {
    let [_, digit] = pair(nibble & 15);
    out.push(digit);
}

/// Appends two hexadecimal digits.
#[inline]
pub fn push_hex8(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&pair(value));
}

/// Appends four hexadecimal digits.
#[inline]
pub fn push_hex16(out: &mut Vec<u8>, value: u16) {
    let [high, low] = value.to_be_bytes();
    let ([a, b], [c, d]) = (pair(high), pair(low));
    out.extend_from_slice(&[a, b, c, d]);
}

/// Appends a decimal number.
#[inline]
pub fn push_decimal(out: &mut Vec<u8>, value: u64) {
    match u16::try_from(value) {
        Ok(small) => push_u16(out, small, b' ', false),
        Err(_) => push_large(out, value),
    }
}

#[cold]
fn push_large(out: &mut Vec<u8>, value: u64) {
    push_decimal(out, value / 1000);
    out.extend_from_slice(&TRIPLES.get((value % 1000) as usize).copied().unwrap_or_default());
}

/// Appends a value, and `joint` if that is wanted. Eight bytes are written and cut to length: of a length that is known, that is one
/// store, whereas a piece of unknown length is a call.
#[inline]
fn push_u16(out: &mut Vec<u8>, value: u16, joint: u8, joined: bool) {
    let [c2, c1, c0] = TRIPLES.get(usize::from(value % 1000)).copied().unwrap_or_default();
    let [_, m1, m0] = TRIPLES.get(usize::from(value / 1000)).copied().unwrap_or_default();
    let leading_zeros = [10_u16, 100, 1000, 10_000].iter().map(|bound| usize::from(value < *bound)).sum::<usize>();
    let digits = u64::from_be_bytes([m1, m0, c2, c1, c0, joint, 0, 0]) << (8 * leading_zeros);
    let end = out.len() + 5 + usize::from(joined) - leading_zeros;
    out.extend_from_slice(&digits.to_be_bytes());
    out.truncate(end);
}

/// Appends a count as two digits, 99 at most.
pub fn push_count(out: &mut Vec<u8>, count: usize) {
    let [_, tens, ones] = TRIPLES.get(count.min(99)).copied().unwrap_or_default();
    out.extend_from_slice(&[tens, ones]);
}

/// Appends hexadecimal values joined by commas.
pub fn push_hex_list(out: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    let start = out.len();
    for value in values {
        let [high, low] = value.to_be_bytes();
        let ([a, b], [c, d]) = (pair(high), pair(low));
        out.extend_from_slice(&[a, b, c, d, b',']);
    }
    drop_last_joint(out, start);
}

/// Appends decimal values joined by dashes.
pub fn push_decimal_list(out: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    let start = out.len();
    for value in values {
        push_u16(out, value, b'-', true);
    }
    drop_last_joint(out, start);
}

fn drop_last_joint(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.pop();
    }
}

/// MD5 as 32 hexadecimal digits.
#[must_use]
pub fn md5_hex(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(32);
    for byte in Md5::digest(text) {
        push_hex8(&mut out, byte);
    }
    into_text(out)
}

/// The first 12 hexadecimal digits of SHA-256, or twelve zeros for an empty text (JA4.md).
pub fn push_sha12(out: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() {
        out.extend_from_slice(b"000000000000");
        return;
    }
    for byte in Sha256::digest(text).iter().take(6) {
        push_hex8(out, *byte);
    }
}

/// Bytes of a name as text: UTF-8 as it is, anything else with `\xHH` for each byte that is not printable ASCII.
#[must_use]
pub fn name_text(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if (0x20..0x7f).contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(b"\\x");
            push_hex8(&mut out, *byte);
        }
    }
    into_text(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_digits() {
        let mut out = Vec::new();
        push_decimal_list(&mut out, [0, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 65_535].into_iter());
        out.push(b' ');
        push_decimal_list(&mut out, [].into_iter());
        push_decimal(&mut out, u64::MAX);
        push_decimal(&mut out, 0);
        out.push(b' ');
        push_hex_list(&mut out, [0x1301, 0xff].into_iter());
        out.push(b' ');
        push_count(&mut out, 3);
        push_count(&mut out, 1000);
        let expected = format!("0-9-10-99-100-999-1000-9999-10000-65535 {}0 1301,00ff 0399", u64::MAX);
        assert_eq!(into_text(out), expected);
        assert_eq!(name_text(&[0xba, b'a']), "\\xbaa");
    }
}
