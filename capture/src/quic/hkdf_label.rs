//! HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1) over ring's HKDF, shared by QUIC Initial keys and key-log secrets.
//!
//! Promises: fails (None) instead of panicking on over-long labels; never returns partly filled output. Contexts are
//! always empty here: only traffic keys are derived, never secrets that need a transcript hash.

use ring::hkdf;

/// Output length of an HKDF expansion, for ring's `KeyType`.
#[derive(Clone, Copy, Debug)]
struct OutputLen(usize);

impl hkdf::KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}

/// Expands `secret` by `label` (without the "tls13 " prefix) and an empty context into whatever ring builds from it.
///
/// `key_type` decides the length. None when ring refuses the length or the label is longer than 249 bytes.
pub(crate) fn expand<K, T>(secret: &hkdf::Prk, label: &[u8], key_type: K) -> Option<T>
where
    K: hkdf::KeyType,
    T: for<'okm> From<hkdf::Okm<'okm, K>>,
{
    with_info(key_type.len(), label, |info| secret.expand(info, key_type).ok().map(T::from))
}

/// Expands `secret` by `label` into `out`; the slice's size is the requested length.
pub(crate) fn expand_into(secret: &hkdf::Prk, label: &[u8], out: &mut [u8]) -> Option<()> {
    with_info(out.len(), label, |info| secret.expand(info, OutputLen(out.len())).ok()?.fill(out).ok())
}

/// Builds the HkdfLabel structure for `label` and `len` and hands it to `use_info` in the pieces that ring wants.
fn with_info<T>(len: usize, label: &[u8], use_info: impl FnOnce(&[&[u8]]) -> Option<T>) -> Option<T> {
    const PREFIX: &[u8] = b"tls13 ";
    let out_len = u16::try_from(len).ok()?.to_be_bytes();
    let label_len = [u8::try_from(PREFIX.len().checked_add(label.len())?).ok()?];
    use_info(&[&out_len, &label_len, PREFIX, label, &[0]])
}
