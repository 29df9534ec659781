//! Fingerprints of hellos met before: most clients of a site say the same each time but for name, randoms and key shares.
//!
//! Promises: the answer is the one that computing gives. Everything the fingerprints depend on is compared byte for byte; a hash only
//! chooses the place. Bounded: [`PLACES`] hellos of [`KEY_BYTES`] for each thread. A hello is kept when its place sees it twice in a row,
//! so that clients that say something new each time (browsers shuffle their extensions) cost a key, and push nobody out.
//!
//! Read next: `facts.rs` (asks), `ja3.rs` and `ja4.rs` (compute).

use std::cell::RefCell;
use std::hash::BuildHasher;

use crate::fingerprint::ja3::ja3_raw;
use crate::fingerprint::ja4::{Ja4, ja4};
use crate::fingerprint::text::md5_hex;
use crate::tls::hello::{ClientHello, EXT_GROUPS, EXT_SIGNATURE_ALGORITHMS, HelloTransport, is_grease};

/// Hellos kept for each thread.
const PLACES: usize = 512;
/// Longest description of a hello that is kept; a browser's has about 150 bytes.
const KEY_BYTES: usize = 1024;

/// What is computed of a ClientHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts {
    pub ja3_raw: String,
    pub ja3: String,
    pub ja4: Ja4,
}

impl Texts {
    fn compute(hello: &ClientHello<'_>, transport: HelloTransport) -> Self {
        let ja3_raw = ja3_raw(hello);
        Self { ja3: md5_hex(ja3_raw.as_bytes()), ja3_raw, ja4: ja4(hello, transport) }
    }
}

thread_local! {
    /// Of this thread, so that no caller has to carry it to where hellos are read. What it answers does not depend on it.
    static MEMO: RefCell<Memo> = RefCell::new(Memo::default());
}

/// Computes, or remembers.
pub(super) fn texts(hello: &ClientHello<'_>, transport: HelloTransport) -> Texts {
    MEMO.with_borrow_mut(|memo| memo.texts(hello, transport))
}

#[derive(Debug, Default)]
struct Memo {
    hasher: foldhash::fast::RandomState,
    places: Vec<Place>,
    key: Vec<u8>,
}

#[derive(Debug, Default)]
struct Place {
    /// Hash of the hello that came here last.
    last: u64,
    kept: Option<Box<(Vec<u8>, Texts)>>,
}

impl Memo {
    fn texts(&mut self, hello: &ClientHello<'_>, transport: HelloTransport) -> Texts {
        self.key.clear();
        describe(hello, transport, &mut self.key);
        if self.key.len() > KEY_BYTES {
            return Texts::compute(hello, transport);
        }
        let hash = self.hasher.hash_one(self.key.as_slice());
        self.places.resize_with(PLACES, Place::default);
        let Some(place) = self.places.get_mut(hash as usize % PLACES) else { return Texts::compute(hello, transport) };
        if let Some((_, texts)) = place.kept.as_deref().filter(|(key, _)| *key == self.key) {
            return texts.clone();
        }
        let texts = Texts::compute(hello, transport);
        if place.last == hash {
            place.kept = Some(Box::new((self.key.clone(), texts.clone())));
        }
        place.last = hash;
        texts
    }
}

/// Writes down everything that JA3 and JA4 depend on, each list with its length in front.
fn describe(hello: &ClientHello<'_>, transport: HelloTransport, out: &mut Vec<u8>) {
    out.push(transport.letter());
    out.extend_from_slice(&hello.legacy_version.to_be_bytes());
    out.extend_from_slice(&hello.highest_version().to_be_bytes());
    let alpn = hello.alpn().next();
    match alpn.and_then(|name| Some((*name.first()?, *name.last()?))) {
        Some((first, last)) => out.extend_from_slice(&[1, first, last]),
        None => out.push(0),
    }
    push_list(out, hello.cipher_suites.without_grease());
    push_list(out, hello.u16_list(EXT_GROUPS).without_grease());
    push_list(out, hello.u16_list(EXT_SIGNATURE_ALGORITHMS).without_grease());
    push_list(out, hello.point_formats().iter().map(|format| u16::from(*format)));
    push_list(out, hello.extensions.kinds().filter(|kind| !is_grease(*kind)));
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
        let mut memo = Memo::default();
        let kept = |memo: &Memo| memo.places.iter().filter(|place| place.kept.is_some()).count();
        let body = body();
        let first = memo.texts(&ClientHello::parse_body(&body).unwrap(), HelloTransport::Tcp);
        assert_eq!(kept(&memo), 0);
        let mut other = body.clone();
        other[2..34].fill(8);
        // GREASE in the list of cipher suites, another name.
        other[37..39].fill(0x4a);
        let name = other.windows(4).position(|w| w == b"memo").unwrap();
        other[name] = b'n';
        for _ in 0..3 {
            assert_eq!(memo.texts(&ClientHello::parse_body(&other).unwrap(), HelloTransport::Tcp), first);
        }
        assert_eq!(kept(&memo), 1);
        let quic = memo.texts(&ClientHello::parse_body(&other).unwrap(), HelloTransport::Quic);
        assert!(quic.ja4.ja4.starts_with('q'), "the transport counts");
    }

    proptest! {
        /// Hellos with a few bytes changed, each several times, through one memo: always what computing gives.
        #[test]
        fn what_is_remembered_is_what_is_computed(
            changes in proptest::collection::vec(proptest::collection::vec((0_usize..200, 0_u8..=255), 0..4), 1..12),
        ) {
            let mut memo = Memo::default();
            for _ in 0..3 {
                for change in &changes {
                    let mut body = body();
                    for (at, byte) in change {
                        let length = body.len();
                        body[at % length] = *byte;
                    }
                    let Some(hello) = ClientHello::parse_body(&body) else { continue };
                    for transport in [HelloTransport::Tcp, HelloTransport::Dtls] {
                        prop_assert_eq!(memo.texts(&hello, transport), Texts::compute(&hello, transport));
                    }
                }
            }
        }
    }
}
