//! Handshake messages out of a TLS byte stream (RFC 8446 §5.1), fed in any pieces.
//!
//! Promises: linear in the bytes fed, whatever their cut; holds at most one message plus a record header; messages nobody asked
//! for are stepped over without being stored; a message longer than the bound ends the stream, counted by the caller.
//!
//! Read next: `hello.rs`, `../flow/tcp.rs` (feeds this).

use crate::bytes::Cursor;
use crate::tls::hello::{CERTIFICATE, CLIENT_HELLO, SERVER_HELLO};

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
/// 2^14 plus the expansion RFC 5246 §6.2.3 allows.
const MAX_RECORD_BYTES: u16 = 16_384 + 2048;

/// What a stream position looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A handshake record whose first message is a ClientHello, as far as the bytes go.
    ClientHello,
    /// The same with a ServerHello.
    ServerHello,
    /// Too few bytes to tell the message type, nothing against it.
    Unclear,
    /// Something else.
    No,
}

/// Whether TLS handshake records begin at the first byte. A plain look at up to ten bytes; the message itself must still parse.
#[must_use]
pub fn start(bytes: &[u8]) -> Start {
    let mut cursor = Cursor::new(bytes);
    match cursor.u8() {
        None => return Start::Unclear,
        Some(HANDSHAKE) => {}
        Some(_) => return Start::No,
    }
    let plausible = |value: Option<u8>, ok: fn(u8) -> bool| value.is_none_or(ok);
    if !plausible(cursor.u8(), |major| major == 3) || !plausible(cursor.u8(), |minor| minor <= 4) {
        return Start::No;
    }
    let Some(length) = cursor.u16() else { return Start::Unclear };
    if length == 0 || length > MAX_RECORD_BYTES {
        return Start::No;
    }
    let Some(kind) = cursor.u8() else { return Start::Unclear };
    // Length and version of the message may lie in a later record, or not be here yet; then there is nothing more to check.
    if length >= 4
        && let Some(message_bytes) = cursor.u24()
    {
        let wrong_version = length >= 5 && !plausible(cursor.u8(), |major| major == 3 || major == 0x7f);
        if wrong_version || !(34..=0x0003_ffff).contains(&message_bytes) {
            return Start::No;
        }
    }
    match kind {
        CLIENT_HELLO => Start::ClientHello,
        SERVER_HELLO => Start::ServerHello,
        _ => Start::No,
    }
}

/// The first handshake message if it lies whole within the first record of `bytes`: the common case, which copies nothing.
#[must_use]
pub fn whole_message(bytes: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(bytes);
    if cursor.u8()? != HANDSHAKE {
        return None;
    }
    cursor.skip(2)?;
    let record = cursor.vec16()?;
    let mut inner = Cursor::new(record);
    inner.u8()?;
    let length = usize::try_from(inner.u24()?).ok()?;
    record.get(..length.checked_add(4)?)
}

/// Bytes of a warning alert in front of a hello (`unrecognized_name`, RFC 6066 §3), to be stepped over; 0 if there is none.
#[must_use]
pub fn leading_alert_bytes(bytes: &[u8]) -> usize {
    match bytes {
        [ALERT, 3, _, 0, 2, 1, _, ..] => 7,
        _ => 0,
    }
}

/// What the receiver of a message wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next message.
    More,
    /// Nothing more from this stream.
    Done,
}

/// Why a reader stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All bytes were taken; more are needed.
    More,
    /// The receiver is satisfied, or the stream is encrypted from here on.
    Done,
    /// These are no TLS handshake records, or a message is over the bound.
    Broken,
}

/// Reads handshake messages from a stream of record bytes.
#[derive(Debug, Default)]
pub struct HandshakeReader {
    header: [u8; 5],
    header_bytes: u8,
    record_kind: u8,
    record_left: u16,
    /// The message being put together, header included.
    message: Vec<u8>,
    /// Bytes of an unwanted message still to step over.
    skip_bytes: usize,
    max_message_bytes: usize,
    /// Whether the first message was a hello, as it must be.
    hello_seen: bool,
}

impl HandshakeReader {
    /// A reader at a record boundary, in front of a hello. `max_message_bytes` bounds one message.
    #[must_use]
    pub fn new(max_message_bytes: usize) -> Self {
        Self { max_message_bytes, ..Self::default() }
    }

    /// Bytes held now.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.message.capacity()
    }

    /// Takes the next bytes of the stream and hands each whole ClientHello, ServerHello and Certificate message on.
    pub fn feed(&mut self, mut data: &[u8], receive: &mut dyn FnMut(&[u8]) -> Next) -> Progress {
        while !data.is_empty() {
            if self.record_left == 0 {
                match self.take_header(&mut data) {
                    Some(true) => {}
                    Some(false) => return Progress::More,
                    None => return Progress::Broken,
                }
                // After a ChangeCipherSpec, or with application data, everything is encrypted; an alert ends the handshake.
                if self.record_kind != HANDSHAKE {
                    return if self.hello_seen { Progress::Done } else { Progress::Broken };
                }
            }
            let take = usize::from(self.record_left).min(data.len());
            let (part, rest) = data.split_at_checked(take).unwrap_or((data, &[]));
            data = rest;
            self.record_left = self.record_left.saturating_sub(u16::try_from(part.len()).unwrap_or(u16::MAX));
            match self.take_handshake(part, receive) {
                Progress::More => {}
                end => return end,
            }
        }
        Progress::More
    }

    /// `Some(true)`: a header is complete. `None`: it is no record header.
    fn take_header(&mut self, data: &mut &[u8]) -> Option<bool> {
        while let Some((&byte, rest)) = data.split_first() {
            *data = rest;
            *self.header.get_mut(usize::from(self.header_bytes))? = byte;
            self.header_bytes = self.header_bytes.saturating_add(1);
            if self.header_bytes == 5 {
                self.header_bytes = 0;
                let [kind, major, _, high, low] = self.header;
                let length = u16::from_be_bytes([high, low]);
                if !(20..=24).contains(&kind) || major != 3 || length > MAX_RECORD_BYTES || (length == 0 && kind != 23) {
                    return None;
                }
                self.record_kind = kind;
                self.record_left = length;
                return Some(true);
            }
        }
        Some(false)
    }

    fn take_handshake(&mut self, part: &[u8], receive: &mut dyn FnMut(&[u8]) -> Next) -> Progress {
        let mut cursor = Cursor::new(part);
        while !cursor.is_empty() {
            if self.skip_bytes > 0 {
                let skipped = cursor.take_up_to(self.skip_bytes).len();
                self.skip_bytes = self.skip_bytes.saturating_sub(skipped);
                continue;
            }
            let header_missing = 4_usize.saturating_sub(self.message.len());
            self.message.extend_from_slice(cursor.take_up_to(header_missing));
            let mut header = Cursor::new(&self.message);
            let (Some(kind), Some(length)) = (header.u8(), header.u24()) else { return Progress::More };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if !self.hello_seen && !matches!(kind, CLIENT_HELLO | SERVER_HELLO) {
                return Progress::Broken;
            }
            self.hello_seen = true;
            if !matches!(kind, CLIENT_HELLO | SERVER_HELLO | CERTIFICATE) {
                self.message.clear();
                self.skip_bytes = length;
                continue;
            }
            if length > self.max_message_bytes {
                return Progress::Broken;
            }
            let missing = length.saturating_add(4).saturating_sub(self.message.len());
            self.message.extend_from_slice(cursor.take_up_to(missing));
            if self.message.len() == length.saturating_add(4) {
                let next = receive(&self.message);
                self.message.clear();
                if next == Next::Done {
                    return Progress::Done;
                }
            }
        }
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(body: &[u8]) -> Vec<u8> {
        let mut out = vec![22, 3, 1];
        out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        out.extend(body);
        out
    }

    fn messages(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut reader = HandshakeReader::new(1000);
        let mut out = Vec::new();
        for piece in pieces {
            reader.feed(piece, &mut |message| {
                out.push(message.to_vec());
                Next::More
            });
        }
        out
    }

    #[test]
    fn messages_do_not_depend_on_records_or_pieces() {
        let mut body = vec![2, 0, 0, 3, 1, 2, 3];
        body.extend([12, 0, 0, 2, 9, 9]);
        body.extend([11, 0, 0, 1, 5]);
        let expected = vec![vec![2, 0, 0, 3, 1, 2, 3], vec![11, 0, 0, 1, 5]];
        assert_eq!(messages(&[&record(&body)]), expected);
        for cut in 1..body.len() {
            let (a, b) = body.split_at(cut);
            let mut stream = record(a);
            stream.extend(record(b));
            assert_eq!(messages(&[&stream]), expected);
            let bytes = stream.chunks(1).collect::<Vec<_>>();
            assert_eq!(messages(&bytes), expected);
        }
    }

    #[test]
    fn a_start_is_told_from_any_prefix() {
        let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
        for cut in 0..=5 {
            assert_eq!(start(&hello[..cut]), Start::Unclear, "{cut}");
        }
        for cut in 6..=hello.len() {
            assert_eq!(start(&hello[..cut]), Start::ClientHello, "{cut}");
        }
        assert_eq!(start(b"GET / HTTP/1.1"), Start::No);
        assert_eq!(start(&[22, 3, 1, 0, 0]), Start::No);
    }
}
