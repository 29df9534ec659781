//! DTLS records and handshake fragments (RFC 6347 sections 4.1 and 4.2.2), and the cookie of the ClientHello.
//!
//! Promises: every slice given out lies inside the datagram; each step consumes bytes. Only epoch 0 is read: later epochs
//! are encrypted. Versions: DTLS 1.0, 1.2, 1.3, and 0x0100 of OpenSSL before RFC 4347.
//! Read next: `mod.rs`.

const HANDSHAKE: u8 = 22;
const RECORD_HEADER_BYTES: usize = 13;

/// One fragment of a handshake message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub message_type: u8,
    /// Length of the whole message's body.
    pub message_bytes: u32,
    pub message_seq: u16,
    pub offset: u32,
    pub data: &'a [u8],
}

impl Fragment<'_> {
    /// The TLS handshake header of the whole message.
    pub fn header(&self) -> [u8; 4] {
        let [_, a, b, c] = self.message_bytes.to_be_bytes();
        [self.message_type, a, b, c]
    }
}

/// True when a UDP payload begins with a DTLS record: a known content type, a version in use, and a record not longer than
/// a record may be (RFC 6347 4.1).
#[must_use]
pub fn is_dtls(payload: &[u8]) -> bool {
    let Some(&[kind, major, minor, _, _, _, _, _, _, _, _, len_high, len_low]) = payload.first_chunk::<RECORD_HEADER_BYTES>()
    else {
        return false;
    };
    let len = u16::from_be_bytes([len_high, len_low]);
    (20..=26).contains(&kind) && is_version(major, minor) && len > 0 && len <= 0x4000 + 2_048
}

/// Takes records off the front until one holds clear handshake bytes; gives those.
pub(super) fn next_handshake<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    loop {
        let (header, after) = rest.split_first_chunk::<RECORD_HEADER_BYTES>()?;
        let &[kind, major, minor, epoch_high, epoch_low, _, _, _, _, _, _, len_high, len_low] = header;
        if !is_version(major, minor) {
            *rest = &[];
            return None;
        }
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        // A datagram cut by the snap length still holds the record's first bytes.
        let (body, tail) = after.split_at_checked(len).unwrap_or((after, &[]));
        *rest = tail;
        if kind == HANDSHAKE && epoch_high == 0 && epoch_low == 0 {
            return Some(body);
        }
    }
}

/// Takes one handshake fragment off the front of a record's body; None at its end or when the rest is malformed.
pub(super) fn next_fragment<'a>(body: &mut &'a [u8]) -> Option<Fragment<'a>> {
    let (header, after) = body.split_first_chunk::<12>()?;
    let &[message_type, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2] = header;
    let message_bytes = u32::from_be_bytes([0, l0, l1, l2]);
    let offset = u32::from_be_bytes([0, o0, o1, o2]);
    let len = u32::from_be_bytes([0, f0, f1, f2]);
    let (data, tail) = after.split_at_checked(usize::try_from(len).ok()?)?;
    *body = tail;
    let fits = offset.checked_add(len).is_some_and(|end| end <= message_bytes);
    fits.then_some(Fragment { message_type, message_bytes, message_seq: u16::from_be_bytes([s0, s1]), offset, data })
}

/// Makes a TLS ClientHello message of a DTLS one (`message`: type, 24-bit length, body): removes the cookie, corrects the length.
///
/// None when the body ends before its cookie does.
#[must_use]
pub fn strip_cookie(message: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = message.split_first_chunk::<4>()?;
    let session_id_bytes = usize::from(*body.get(34)?);
    let (before, rest) = body.split_at_checked(session_id_bytes.checked_add(35)?)?;
    let (&cookie_bytes, rest) = rest.split_first()?;
    let after = rest.get(usize::from(cookie_bytes)..)?;
    let [_, a, b, c] = u32::try_from(before.len().checked_add(after.len())?).ok()?.to_be_bytes();
    let mut out = Vec::with_capacity(message.len());
    out.extend_from_slice(&[header[0], a, b, c]);
    out.extend_from_slice(before);
    out.extend_from_slice(after);
    Some(out)
}

fn is_version(major: u8, minor: u8) -> bool {
    matches!((major, minor), (0xfe, 0xff | 0xfd | 0xfc) | (0x01, 0x00))
}
