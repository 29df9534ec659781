//! Fingerprints of hellos met before: most clients of a site say the same each time but for name, randoms and key shares, and its
//! servers answer in a few ways.
//!
//! Promises: the answer is the one that computing gives. Everything the fingerprints depend on is compared byte for byte; a hash only
//! chooses the place. Bounded: [`PLACES`] hellos of [`KEY_BYTES`] of each kind for each thread. A hello is kept when its place sees it
//! twice in a row, so that clients that say something new each time (browsers shuffle their extensions) cost a key, and push nobody out.
//!
//! Read next: `facts.rs` (asks), `ja3.rs` and `ja4.rs` (compute).

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::fingerprint::ja3::{ja3_raw, ja3s_raw};
use crate::fingerprint::ja4::{Ja4, ja4};
use crate::fingerprint::text::md5_hex;
use crate::tls::hello::{ClientHello, EXT_GROUPS, EXT_SIGNATURE_ALGORITHMS, HelloTransport, ServerHello, is_grease};

/// Hellos kept for each thread, of clients and of servers.
const PLACES: usize = 512;
/// Longest description of a hello that is kept; a browser's has about 150 bytes.
const KEY_BYTES: usize = 1024;

/// What is computed of a ClientHello; shared by all that say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTexts {
    /// The JA3 string.
    pub ja3_raw: String,
    /// Its MD5.
    pub ja3: String,
    /// JA4 in four forms.
    pub ja4: Ja4,
}

impl ClientTexts {
    fn compute(hello: &ClientHello<'_>, transport: HelloTransport) -> Self {
        let ja3_raw = ja3_raw(hello);
        Self { ja3: md5_hex(ja3_raw.as_bytes()), ja3_raw, ja4: ja4(hello, transport) }
    }
}

/// What is computed of a ServerHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTexts {
    /// The JA3S string.
    pub ja3s_raw: String,
    /// Its MD5.
    pub ja3s: String,
    /// JA4S, hashed; `None` if built without the `ja4plus` feature.
    pub ja4s: Option<String>,
    /// JA4S, raw.
    pub ja4s_r: Option<String>,
}

impl ServerTexts {
    fn compute(hello: &ServerHello<'_>, transport: HelloTransport) -> Self {
        let ja3s_raw = ja3s_raw(hello);
        #[cfg(feature = "ja4plus")]
        let (ja4s, ja4s_r) = crate::plus::ja4s::ja4s(hello, transport).into();
        #[cfg(not(feature = "ja4plus"))]
        let (ja4s, ja4s_r) = {
            let _ = transport;
            (None, None)
        };
        Self { ja3s: md5_hex(ja3s_raw.as_bytes()), ja3s_raw, ja4s, ja4s_r }
    }
}

thread_local! {
    /// Of this thread, so that no caller has to carry it to where hellos are read. What it answers does not depend on it.
    static MEMO: RefCell<(Memo<ClientTexts>, Memo<ServerTexts>)> = RefCell::default();
}

/// Computes, or remembers.
pub(super) fn client_texts(hello: &ClientHello<'_>, transport: HelloTransport) -> Arc<ClientTexts> {
    MEMO.with_borrow_mut(|(memo, _)| memo.client(hello, transport))
}

/// The same for a server.
pub(super) fn server_texts(hello: &ServerHello<'_>, transport: HelloTransport) -> Arc<ServerTexts> {
    MEMO.with_borrow_mut(|(_, memo)| memo.server(hello, transport))
}

#[derive(Debug)]
struct Memo<T> {
    hasher: foldhash::fast::RandomState,
    places: Vec<Place<T>>,
    key: Vec<u8>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { hasher: foldhash::fast::RandomState::default(), places: Vec::new(), key: Vec::new() }
    }
}

#[derive(Debug)]
struct Place<T> {
    /// Hash of the hello that came here last.
    last: u64,
    kept: Option<(Box<[u8]>, Arc<T>)>,
}

impl<T> Memo<T> {
    /// What was computed for this description before, or is now.
    fn texts(&mut self, describe: impl FnOnce(&mut Vec<u8>), compute: impl FnOnce() -> T) -> Arc<T> {
        self.key.clear();
        describe(&mut self.key);
        if self.key.len() > KEY_BYTES {
            return Arc::new(compute());
        }
        let hash = self.hasher.hash_one(self.key.as_slice());
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || Place { last: 0, kept: None });
        }
        let Some(place) = self.places.get_mut(hash as usize % PLACES) else { return Arc::new(compute()) };
        if let Some((_, texts)) = place.kept.as_ref().filter(|(key, _)| **key == *self.key) {
            return Arc::clone(texts);
        }
        let texts = Arc::new(compute());
        if place.last == hash {
            place.kept = Some((self.key.as_slice().into(), Arc::clone(&texts)));
        }
        place.last = hash;
        texts
    }
}

impl Memo<ClientTexts> {
    fn client(&mut self, hello: &ClientHello<'_>, transport: HelloTransport) -> Arc<ClientTexts> {
        self.texts(|key| describe(hello, transport, key), || ClientTexts::compute(hello, transport))
    }
}

impl Memo<ServerTexts> {
    fn server(&mut self, hello: &ServerHello<'_>, transport: HelloTransport) -> Arc<ServerTexts> {
        self.texts(|key| describe_server(hello, transport, key), || ServerTexts::compute(hello, transport))
    }
}

/// Writes down everything that JA3 and JA4 depend on, each list with its length in front.
fn describe(hello: &ClientHello<'_>, transport: HelloTransport, out: &mut Vec<u8>) {
    out.push(transport.letter());
    out.extend_from_slice(&hello.legacy_version.to_be_bytes());
    out.extend_from_slice(&hello.highest_version().to_be_bytes());
    push_ends(out, hello.alpn().next());
    push_list(out, hello.cipher_suites.without_grease());
    push_list(out, hello.u16_list(EXT_GROUPS).without_grease());
    push_list(out, hello.u16_list(EXT_SIGNATURE_ALGORITHMS).without_grease());
    push_list(out, hello.point_formats().iter().map(|format| u16::from(*format)));
    push_list(out, hello.extensions.kinds().filter(|kind| !is_grease(*kind)));
}

/// Writes down everything that JA3S and JA4S depend on.
fn describe_server(hello: &ServerHello<'_>, transport: HelloTransport, out: &mut Vec<u8>) {
    out.push(transport.letter());
    out.extend_from_slice(&hello.legacy_version.to_be_bytes());
    out.extend_from_slice(&hello.version().to_be_bytes());
    out.extend_from_slice(&hello.cipher_suite.to_be_bytes());
    push_ends(out, hello.alpn());
    push_list(out, hello.extensions.kinds());
}

/// First and last byte of a protocol's name, which is all that is used of it.
fn push_ends(out: &mut Vec<u8>, name: Option<&[u8]>) {
    match name.and_then(|name| Some((*name.first()?, *name.last()?))) {
        Some((first, last)) => out.extend_from_slice(&[1, first, last]),
        None => out.push(0),
    }
}

fn push_list(out: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    let mut count = 0_u16;
    for value in values {
        out.extend_from_slice(&value.to_be_bytes());
        count = count.saturating_add(1);
    }
    if let Some(place) = out.get_mut(start..).and_then(|rest| rest.first_chunk_mut()) {
        *place = count.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vec16(data: &[u8]) -> Vec<u8> {
        [&(data.len() as u16).to_be_bytes()[..], data].concat()
    }

    /// The body of a hello with every extension that a fingerprint looks into.
    fn body() -> Vec<u8> {
        let mut block = Vec::new();
        let extensions: [(u16, Vec<u8>); 8] = [
            (0x0a0a, vec![]),
            (0, vec16(&[&[0][..], &vec16(b"memo.example")].concat())),
            (10, vec16(&[0x1a, 0x1a, 0, 29, 0, 23])),
            (11, vec![1, 0]),
            (13, vec16(&[4, 3, 8, 4])),
            (16, vec16(b"\x02h2\x08http/1.1")),
            (43, vec![6, 0x2a, 0x2a, 3, 4, 3, 3]),
            (51, vec16(&[7; 40])),
        ];
        for (kind, data) in extensions {
            block.extend(kind.to_be_bytes());
            block.extend(vec16(&data));
        }
        [&[3, 3][..], &[9; 32], &[0], &vec16(&[0x3a, 0x3a, 0x13, 1, 0xc0, 0x2b]), &[1, 0], &vec16(&block)].concat()
    }

    #[test]
    fn a_hello_is_kept_at_the_second_time_and_grease_name_and_random_do_not_count() {
        let mut memo = Memo::<ClientTexts>::default();
        let kept = |memo: &Memo<ClientTexts>| memo.places.iter().filter(|place| place.kept.is_some()).count();
        let body = body();
        let first = memo.client(&ClientHello::parse_body(&body).unwrap(), HelloTransport::Tcp);
        assert_eq!(kept(&memo), 0);
        let mut other = body.clone();
        other[2..34].fill(8);
        // GREASE in the list of cipher suites, another name.
        other[37..39].fill(0x4a);
        let name = other.windows(4).position(|w| w == b"memo").unwrap();
        other[name] = b'n';
        for _ in 0..3 {
            assert_eq!(memo.client(&ClientHello::parse_body(&other).unwrap(), HelloTransport::Tcp), first);
        }
        assert_eq!(kept(&memo), 1);
        let quic = memo.client(&ClientHello::parse_body(&other).unwrap(), HelloTransport::Quic);
        assert!(quic.ja4.ja4.starts_with('q'), "the transport counts");
    }

    proptest! {
        /// Hellos with a few bytes changed, each several times, through one memo: always what computing gives.
        #[test]
        fn what_is_remembered_is_what_is_computed(
            changes in proptest::collection::vec(proptest::collection::vec((0_usize..200, 0_u8..=255), 0..4), 1..12),
        ) {
            let mut memo = Memo::<ClientTexts>::default();
            for _ in 0..3 {
                for change in &changes {
                    let mut body = body();
                    for (at, byte) in change {
                        let length = body.len();
                        body[at % length] = *byte;
                    }
                    let Some(hello) = ClientHello::parse_body(&body) else { continue };
                    for transport in [HelloTransport::Tcp, HelloTransport::Dtls] {
                        prop_assert_eq!(&*memo.client(&hello, transport), &ClientTexts::compute(&hello, transport));
                    }
                }
            }
        }

        /// The same for servers' hellos.
        #[test]
        fn what_is_remembered_of_servers_is_what_is_computed(
            changes in proptest::collection::vec(proptest::collection::vec((0_usize..70, 0_u8..=255), 0..4), 1..12),
        ) {
            let mut memo = Memo::<ServerTexts>::default();
            let extensions = [&[0, 43, 0, 2, 3, 4][..], &[0, 16, 0, 5, 0, 3, 2, b'h', b'2'], &[0, 23, 0, 0]].concat();
            let whole = [&[3, 3][..], &[9; 32], &[0, 0x13, 1, 0], &vec16(&extensions)].concat();
            for _ in 0..3 {
                for change in &changes {
                    let mut body = whole.clone();
                    for (at, byte) in change {
                        let length = body.len();
                        body[at % length] = *byte;
                    }
                    let Some(hello) = ServerHello::parse_body(&body) else { continue };
                    for transport in [HelloTransport::Tcp, HelloTransport::Dtls] {
                        prop_assert_eq!(&*memo.server(&hello, transport), &ServerTexts::compute(&hello, transport));
                    }
                }
            }
        }
    }
}
