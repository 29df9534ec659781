//! A checked cursor over borrowed bytes: the only way parsers of this crate read packet data.
//!
//! Promises: no getter panics, reads past the end, or moves the cursor when it fails; nothing is copied or allocated.
//! A declared length is checked against the bytes present before it is believed.
//!
//! Read next: `tls/hello.rs` (the largest user).

/// A position within borrowed bytes. Every getter returns `None` when too few bytes are left, and then consumes nothing.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not yet consumed.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether no byte is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        Some(head)
    }

    /// The next `n` bytes, or as many of them as there are.
    pub fn take_up_to(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.rest.split_at_checked(n).unwrap_or((self.rest, &[]));
        self.rest = tail;
        head
    }

    /// Steps over `n` bytes.
    pub fn skip(&mut self, n: usize) -> Option<()> {
        self.take(n).map(|_| ())
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        let (&first, tail) = self.rest.split_first()?;
        self.rest = tail;
        Some(first)
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three bytes, big-endian.
    pub fn u24(&mut self) -> Option<u32> {
        self.array().map(|[a, b, c]: [u8; 3]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    /// A vector with a one-byte length in front (RFC 8446 §3.4).
    pub fn vec8(&mut self) -> Option<&'a [u8]> {
        let mut probe = *self;
        let length = probe.u8()?;
        let body = probe.take(usize::from(length))?;
        *self = probe;
        Some(body)
    }

    /// A vector with a two-byte length in front.
    pub fn vec16(&mut self) -> Option<&'a [u8]> {
        let mut probe = *self;
        let length = probe.u16()?;
        let body = probe.take(usize::from(length))?;
        *self = probe;
        Some(body)
    }

    /// A vector with a three-byte length in front.
    pub fn vec24(&mut self) -> Option<&'a [u8]> {
        let mut probe = *self;
        let length = probe.u24()?;
        let body = probe.take(usize::try_from(length).ok()?)?;
        *self = probe;
        Some(body)
    }
}

/// Big-endian 16-bit value at `at`, if both bytes are there.
#[must_use]
pub fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|b| u16::from_be_bytes(*b))
}

/// Big-endian 32-bit value at `at`, if all bytes are there.
#[must_use]
pub fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|b| u32::from_be_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_getter_consumes_nothing() {
        let mut cursor = Cursor::new(&[0, 5, 1, 2]);
        assert_eq!(cursor.vec16(), None);
        assert_eq!(cursor.u16(), Some(5));
        assert_eq!(cursor.u24(), None);
        assert_eq!(cursor.take_up_to(9), &[1, 2]);
        assert!(cursor.is_empty());
    }
}
