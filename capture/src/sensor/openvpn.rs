//! TLS inside the control channel of OpenVPN over TCP (openvpn.net "OpenVPN protocol", `ssl_pkt.h`).
//!
//! Promises: told by a hard-reset packet at the very start of a direction; understands the plain channel and `tls-auth` with any
//! HMAC length (read off the reset packet); `tls-crypt` is encrypted and stays unread. One packet is held at most.
//!
//! Read next: `tcp.rs`, `../tls/record.rs`.

use crate::bytes::{Cursor, be16};
use crate::tls::record::{HandshakeReader, Next, Progress};

const CONTROL_V1: u8 = 4;
const RESET_CLIENT_V2: u8 = 7;
const RESET_SERVER_V2: u8 = 8;
/// Operation code, session id, acknowledgement count, message number: a reset packet without `tls-auth`.
const PLAIN_RESET_BYTES: usize = 14;
/// What `tls-auth` adds beside the HMAC: packet number and time.
const REPLAY_BYTES: usize = 8;

/// Whether these first bytes of a direction are a hard reset: its length, code and a plausible size.
#[must_use]
pub fn begins(bytes: &[u8]) -> bool {
    let (Some(length), Some(&first)) = (be16(bytes, 0), bytes.get(2)) else { return false };
    matches!(first >> 3, RESET_CLIENT_V2 | RESET_SERVER_V2)
        && first & 7 == 0
        && (PLAIN_RESET_BYTES..=128).contains(&usize::from(length))
        && bytes.len() >= usize::from(length).saturating_add(2)
}

/// Takes the TLS bytes out of one direction.
#[derive(Debug)]
pub struct OpenVpnReader {
    /// The packet being put together, its length field included.
    packet: Vec<u8>,
    /// HMAC and replay bytes behind the session id.
    auth_bytes: usize,
    tls: HandshakeReader,
}

impl OpenVpnReader {
    /// A reader at the start of a direction. `max_message_bytes` bounds one handshake message.
    #[must_use]
    pub fn new(max_message_bytes: usize) -> Self {
        Self { packet: Vec::new(), auth_bytes: 0, tls: HandshakeReader::new(max_message_bytes) }
    }

    /// Bytes held now.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.packet.capacity().saturating_add(self.tls.held_bytes())
    }

    /// Takes the next bytes of the direction.
    pub fn feed(&mut self, data: &[u8], receive: &mut dyn FnMut(&[u8]) -> Next) -> Progress {
        let mut cursor = Cursor::new(data);
        while !cursor.is_empty() {
            let header_missing = 2_usize.saturating_sub(self.packet.len());
            self.packet.extend_from_slice(cursor.take_up_to(header_missing));
            let Some(length) = be16(&self.packet, 0).map(usize::from) else { return Progress::More };
            let missing = length.saturating_add(2).saturating_sub(self.packet.len());
            self.packet.extend_from_slice(cursor.take_up_to(missing));
            if self.packet.len() < length.saturating_add(2) {
                return Progress::More;
            }
            let packet = std::mem::take(&mut self.packet);
            let progress = self.packet(packet.get(2..).unwrap_or_default(), receive);
            if progress != Progress::More {
                return progress;
            }
        }
        Progress::More
    }

    fn packet(&mut self, packet: &[u8], receive: &mut dyn FnMut(&[u8]) -> Next) -> Progress {
        match packet.first().map(|byte| byte >> 3) {
            Some(RESET_CLIENT_V2 | RESET_SERVER_V2) => {
                self.auth_bytes = auth_bytes(packet).unwrap_or(0);
                Progress::More
            }
            Some(CONTROL_V1) => match tls_bytes(packet, self.auth_bytes) {
                Some(bytes) => self.tls.feed(bytes, receive),
                None => Progress::Broken,
            },
            Some(_) => Progress::More,
            None => Progress::Broken,
        }
    }
}

/// Length of HMAC and replay protection in a reset packet: the length for which the acknowledgement list behind it fills the packet.
fn auth_bytes(packet: &[u8]) -> Option<usize> {
    let fits = |auth: &usize| {
        let count = packet.get(auth.saturating_add(9)).map(|count| usize::from(*count));
        count.is_some_and(|count| {
            let acknowledgements = if count == 0 { 0 } else { count * 4 + 8 };
            count <= 8 && PLAIN_RESET_BYTES + auth + acknowledgements == packet.len()
        })
    };
    // None, MD5, SHA-1, SHA-256, SHA-384, SHA-512.
    [0, 16 + REPLAY_BYTES, 20 + REPLAY_BYTES, 32 + REPLAY_BYTES, 48 + REPLAY_BYTES, 64 + REPLAY_BYTES].into_iter().find(fits)
}

/// The payload of a control packet.
fn tls_bytes(packet: &[u8], auth_bytes: usize) -> Option<&[u8]> {
    let mut cursor = Cursor::new(packet);
    cursor.skip(9)?;
    cursor.skip(auth_bytes)?;
    let count = usize::from(cursor.u8()?);
    if count > 0 {
        cursor.skip(count * 4 + 8)?;
    }
    cursor.skip(4)?;
    Some(cursor.rest())
}
