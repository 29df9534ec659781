//! DTLS handshakes seen from outside (RFC 4347, RFC 6347, RFC 9147): datagrams in, ClientHello and ServerHello out as TLS messages.
//!
//! A DTLS ClientHello differs from a TLS one in two places: each fragment's handshake header carries a message number and a
//! fragment range, and the body has a cookie between session id and cipher suites. `DtlsHandshake` removes both, so the TLS
//! hello parser needs to know nothing: hand it `client_hello()` as it is. Whoever has a raw body uses `strip_cookie`.
//! Promises: pure, bounded by `DtlsLimits`, fragments in any order, overlapping or repeated give the same result; the first
//! complete hello of each side is kept, be it before or after a HelloVerifyRequest.
//! Read next: `record.rs`; `quic/crypto_stream.rs` does the reassembly.

mod record;

pub use record::{is_dtls, strip_cookie};

use crate::quic::crypto_stream::{CryptoStream, StreamLimits};
use record::Fragment;

/// Bounds of one flow.
#[derive(Clone, Copy, Debug)]
pub struct DtlsLimits {
    /// Bytes of one hello, assembled; as many may wait out of order. Default 65,536.
    pub hello_bytes: usize,
    /// Fragments of one hello that may wait out of order. Default 64.
    pub fragments: usize,
}

impl Default for DtlsLimits {
    fn default() -> Self {
        Self { hello_bytes: 65_536, fragments: 64 }
    }
}

/// What one datagram brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsEvent {
    /// Nothing new.
    #[default]
    Nothing,
    /// The ClientHello is now complete.
    ClientHello,
    /// The server asked for the ClientHello again, with a cookie (HelloVerifyRequest).
    HelloVerifyRequest,
    /// The ServerHello (or HelloRetryRequest) is now complete.
    ServerHello,
}

/// Observer's state of one UDP flow.
#[derive(Debug, Default)]
pub struct DtlsHandshake {
    limits: DtlsLimits,
    client: Hello,
    server: Hello,
}

/// The hello of one side: at most two are under construction, because a HelloVerifyRequest makes the client send a second
/// one whose number is one higher.
#[derive(Debug, Default)]
struct Hello {
    message: Option<Vec<u8>>,
    partial: [Option<Partial>; 2],
}

#[derive(Debug)]
struct Partial {
    message_seq: u16,
    stream: CryptoStream,
}

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;

impl DtlsHandshake {
    /// An observer that has seen nothing yet.
    #[must_use]
    pub fn new(limits: DtlsLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes one UDP payload; anything but clear handshake records is stepped over.
    ///
    /// The message type tells the side: whoever sends a ClientHello is the client, so no direction is asked for.
    pub fn datagram(&mut self, payload: &[u8]) -> DtlsEvent {
        let mut event = DtlsEvent::Nothing;
        let mut rest = payload;
        while let Some(mut handshake) = record::next_handshake(&mut rest) {
            while let Some(fragment) = record::next_fragment(&mut handshake) {
                let now = self.fragment(&fragment);
                if now != DtlsEvent::Nothing {
                    event = now;
                }
            }
        }
        event
    }

    /// The first complete ClientHello as a TLS handshake message: type 1, 24-bit length, body without cookie.
    #[must_use]
    pub fn client_hello(&self) -> Option<&[u8]> {
        self.client.message.as_deref()
    }

    /// The first complete ServerHello (or HelloRetryRequest) as a TLS handshake message: type 2, 24-bit length, body.
    #[must_use]
    pub fn server_hello(&self) -> Option<&[u8]> {
        self.server.message.as_deref()
    }

    /// Both hellos are known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.client.message.is_some() && self.server.message.is_some()
    }

    /// Bytes held on the heap, for the caller's table of memory.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        [&self.client, &self.server].iter().fold(0, |sum, hello| {
            let partial: usize = hello.partial.iter().flatten().map(|p| p.stream.heap_bytes()).sum();
            let message = hello.message.as_ref().map_or(0, Vec::capacity);
            partial.saturating_add(message).saturating_add(sum)
        })
    }

    fn fragment(&mut self, fragment: &Fragment<'_>) -> DtlsEvent {
        let limits = StreamLimits { bytes: self.limits.hello_bytes, segments: self.limits.fragments };
        match fragment.message_type {
            CLIENT_HELLO => match self.client.insert(fragment, limits).as_deref().and_then(strip_cookie) {
                Some(message) => {
                    self.client.finish(message);
                    DtlsEvent::ClientHello
                }
                None => DtlsEvent::Nothing,
            },
            SERVER_HELLO => match self.server.insert(fragment, limits) {
                Some(message) => {
                    self.server.finish(message);
                    DtlsEvent::ServerHello
                }
                None => DtlsEvent::Nothing,
            },
            HELLO_VERIFY_REQUEST => DtlsEvent::HelloVerifyRequest,
            _ => DtlsEvent::Nothing,
        }
    }
}

impl Hello {
    /// Adds a fragment; gives the message when it completes one and none was known before.
    fn insert(&mut self, fragment: &Fragment<'_>, limits: StreamLimits) -> Option<Vec<u8>> {
        if self.message.is_some() {
            return None;
        }
        let place = self.place(fragment.message_seq)?;
        let partial = place.get_or_insert_with(|| {
            let mut stream = CryptoStream::default();
            stream.insert(0, &fragment.header(), limits);
            Partial { message_seq: fragment.message_seq, stream }
        });
        partial.stream.insert(u64::from(fragment.offset).saturating_add(4), fragment.data, limits);
        partial.stream.first_message().map(<[u8]>::to_vec)
    }

    /// The slot of message `seq`: its own, an empty one, or that of the lowest number, whose message was given up.
    fn place(&mut self, seq: u16) -> Option<&mut Option<Partial>> {
        let own = self.partial.iter().position(|slot| slot.as_ref().is_some_and(|p| p.message_seq == seq));
        let at = own.or_else(|| self.partial.iter().position(Option::is_none)).or_else(|| {
            let oldest = self.partial.iter().enumerate().min_by_key(|(_, slot)| slot.as_ref().map(|p| p.message_seq));
            oldest.map(|(at, _)| at)
        })?;
        let slot = self.partial.get_mut(at)?;
        if own.is_none() {
            *slot = None;
        }
        Some(slot)
    }

    fn finish(&mut self, message: Vec<u8>) {
        self.message = Some(message);
        self.partial = [None, None];
    }
}

#[cfg(test)]
mod tests;
