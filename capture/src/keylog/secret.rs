//! Key material that wipes itself when dropped and cannot be printed.
//!
//! Promises: `Debug` shows the length alone; there is no `Display`, no serialisation, and no way to get the bytes outside
//! `keylog`. Read next: `nss.rs`.

use zeroize::Zeroizing;

/// A secret of a few dozen bytes.
#[derive(Clone)]
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A secret of `len` zero bytes to be filled by `fill`; None when `fill` fails.
    pub fn filled(len: usize, fill: impl FnOnce(&mut [u8]) -> Option<()>) -> Option<Self> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        fill(&mut bytes)?;
        Some(Self(bytes))
    }

    /// Decodes hexadecimal digits; None when one is none, or their number is odd.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        Self::filled(digits.len() / 2, |out| decode_hex(digits, out))
    }

    /// The bytes, for key derivation.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Decodes exactly `2 * out.len()` hexadecimal digits.
pub(super) fn decode_hex(digits: &[u8], out: &mut [u8]) -> Option<()> {
    if digits.len() != out.len().checked_mul(2)? {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, _) = digits.as_chunks::<2>();
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(())
}
