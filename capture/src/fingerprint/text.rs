//! The little formatting that fingerprints need, without `format!`: hexadecimal and decimal into a reused string, hashes to hex.
//!
//! Promises: lower case, no allocation beyond the string handed in.
//!
//! Read next: `ja4.rs`.

use md5::{Digest, Md5};
use sha2::Sha256;

const HEX: &[u8; 16] = b"0123456789abcdef";
/// `000102…ff`: each byte's two digits.
const PAIR_BYTES: [u8; 512] = {
    let mut pairs = [0; 512];
    let mut byte = 0;
    while byte < 256 {
        pairs[2 * byte] = HEX[byte >> 4];
        pairs[2 * byte + 1] = HEX[byte & 15];
        byte += 1;
    }
    pairs
};
static PAIRS: &str = match std::str::from_utf8(&PAIR_BYTES) {
    Ok(text) => text,
    Err(_) => "",
};
/// `000001…999`: three digits of each number below a thousand.
const TRIPLE_BYTES: [u8; 3000] = {
    let mut triples = [b'0'; 3000];
    let mut value = 0;
    while value < 1000 {
        triples[3 * value] += (value / 100) as u8;
        triples[3 * value + 1] += (value / 10 % 10) as u8;
        triples[3 * value + 2] += (value % 10) as u8;
        value += 1;
    }
    triples
};
static TRIPLES: &str = match std::str::from_utf8(&TRIPLE_BYTES) {
    Ok(text) => text,
    Err(_) => "",
};

/// Appends one hexadecimal digit (the low four bits).
pub fn push_nibble(out: &mut String, nibble: u8) {
    out.push(char::from(HEX.get(usize::from(nibble & 15)).copied().unwrap_or(b'0')));
}

/// Appends two hexadecimal digits.
pub fn push_hex8(out: &mut String, value: u8) {
    let at = usize::from(value) * 2;
    out.push_str(PAIRS.get(at..at + 2).unwrap_or_default());
}

/// Appends four hexadecimal digits.
pub fn push_hex16(out: &mut String, value: u16) {
    let [high, low] = value.to_be_bytes();
    push_hex8(out, high);
    push_hex8(out, low);
}

/// Appends a decimal number.
pub fn push_decimal(out: &mut String, value: u64) {
    let low = (value % 1000) as usize * 3;
    let leading_zeros = if value >= 1000 {
        push_decimal(out, value / 1000);
        0
    } else {
        usize::from(value < 10) + usize::from(value < 100)
    };
    out.push_str(TRIPLES.get(low + leading_zeros..low + 3).unwrap_or_default());
}

/// Appends a count as two digits, 99 at most.
pub fn push_count(out: &mut String, count: usize) {
    let count = u8::try_from(count.min(99)).unwrap_or(99);
    push_nibble(out, count / 10);
    push_nibble(out, count % 10);
}

/// Appends hexadecimal values joined by commas.
pub fn push_hex_list(out: &mut String, values: impl Iterator<Item = u16>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_hex16(out, value);
    }
}

/// Appends decimal values joined by dashes.
pub fn push_decimal_list(out: &mut String, values: impl Iterator<Item = u16>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push('-');
        }
        push_decimal(out, u64::from(value));
    }
}

/// MD5 as 32 hexadecimal digits.
#[must_use]
pub fn md5_hex(text: &str) -> String {
    let mut out = String::with_capacity(32);
    for byte in Md5::digest(text.as_bytes()) {
        push_hex8(&mut out, byte);
    }
    out
}

/// The first 12 hexadecimal digits of SHA-256, or twelve zeros for an empty text (JA4.md).
pub fn push_sha12(out: &mut String, text: &str) {
    if text.is_empty() {
        out.push_str("000000000000");
        return;
    }
    for byte in Sha256::digest(text.as_bytes()).iter().take(6) {
        push_hex8(out, *byte);
    }
}

/// Bytes of a name as text: UTF-8 as it is, anything else with `\xHH` for each byte that is not printable ASCII.
#[must_use]
pub fn name_text(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if (0x20..0x7f).contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str("\\x");
            push_hex8(&mut out, *byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_digits() {
        let mut out = String::new();
        push_decimal_list(&mut out, [0, 9, 10, 65_535].into_iter());
        out.push(' ');
        push_hex_list(&mut out, [0x1301, 0xff].into_iter());
        out.push(' ');
        push_count(&mut out, 3);
        push_count(&mut out, 1000);
        assert_eq!(out, "0-9-10-65535 1301,00ff 0399");
        assert_eq!(name_text(&[0xba, b'a']), "\\xbaa");
    }
}
