//! The HTTP/2 fingerprint of a connection, `SETTINGS|WINDOW_UPDATE|PRIORITY|pseudo-header order`, read from the client's first
//! bytes as httpd passes them on (after TLS): preface, then frames up to and including the first HEADERS.
//!
//! Form (Shuster, "Passive Fingerprinting of HTTP/2 Clients", Black Hat EU 2017): `id:value` of the first SETTINGS frame in wire
//! order joined by `;`, the first connection-level WINDOW_UPDATE increment or `00`, `stream:exclusive:parent:weight` (weight
//! 1–256) of each PRIORITY frame joined by `,` or `0`, and the pseudo-headers' first letters joined by `,`:
//! `1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p`. A pseudo-header list that could not be read to its end ends in `?`.
//!
//! Promises: the result does not depend on how the bytes are cut; at most [`MAX_BYTES`] are looked at, each once; no byte is
//! changed. Frame layouts: RFC 9113 §4.1 and §6. Read next: `hpack.rs`.

use std::fmt::Write as _;

use crate::hpack::pseudo_order;

/// Bytes of a connection after which a fingerprint is made of what has been seen.
pub const MAX_BYTES: usize = 16 * 1024;
/// Most settings that are written; RFC 9113 defines six, real clients send up to eight.
const MAX_SETTINGS: usize = 32;
/// Most PRIORITY frames that are written; Firefox sends six.
const MAX_PRIORITIES: usize = 32;
/// Client connection preface, RFC 9113 §3.4.
const MAGIC: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Collects the first bytes of a connection until the fingerprint is known, or known not to exist.
#[derive(Debug, Default)]
pub struct Preface {
    /// Bytes not yet read: a part of the preface or of one frame.
    pending: Vec<u8>,
    /// Bytes fed, up to [`MAX_BYTES`].
    seen_bytes: usize,
    past_magic: bool,
    settings: Option<Vec<(u16, u32)>>,
    window: Option<u32>,
    priorities: Vec<Priority>,
    /// Header block of the first HEADERS frame while CONTINUATION frames are awaited.
    block: Option<Vec<u8>>,
}

/// What [`Preface::feed`] has learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Feed more.
    More,
    /// The connection does not speak HTTP/2 from its first byte, or sent no SETTINGS within the limit.
    NotHttp2,
    /// The fingerprint.
    Found(String),
}

impl Preface {
    /// Takes the next bytes of the connection, in order. After anything but [`Progress::More`] the collector is spent.
    pub fn feed(&mut self, bytes: &[u8]) -> Progress {
        let room = MAX_BYTES.saturating_sub(self.seen_bytes);
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.seen_bytes = self.seen_bytes.saturating_add(taken.len());
        self.pending.extend_from_slice(taken);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        if !self.past_magic {
            let Some((magic, after)) = rest.split_at_checked(MAGIC.len()) else {
                let so_far = MAGIC.starts_with(rest);
                self.pending = pending;
                return if so_far { Progress::More } else { Progress::NotHttp2 };
            };
            if magic != MAGIC {
                return Progress::NotHttp2;
            }
            self.past_magic = true;
            rest = after;
        }
        while let Some((frame, after)) = Frame::parse(rest) {
            if let Some(found) = self.note(&frame) {
                return found;
            }
            rest = after;
        }
        if self.seen_bytes < MAX_BYTES {
            self.pending = rest.to_vec();
            return Progress::More;
        }
        if self.settings.is_none() {
            return Progress::NotHttp2;
        }
        self.finish(&partial_block(rest))
    }

    fn note(&mut self, frame: &Frame<'_>) -> Option<Progress> {
        match (frame.kind, &mut self.block) {
            (CONTINUATION, Some(block)) => block.extend_from_slice(frame.payload),
            // RFC 9113 §6.10: nothing but CONTINUATION may follow; httpd will close, we keep what was seen.
            (_, Some(_)) => return Some(self.finish(&[])),
            (HEADERS, None) => self.block = Some(frame.header_fragment().to_vec()),
            (SETTINGS, None) if frame.flags & ACK == 0 && self.settings.is_none() => {
                self.settings = Some(frame.payload.chunks_exact(6).take(MAX_SETTINGS).filter_map(setting).collect());
            }
            (WINDOW_UPDATE, None) if frame.stream == 0 && self.window.is_none() => self.window = be_u31(frame.payload),
            (PRIORITY, None) if self.priorities.len() < MAX_PRIORITIES => self.priorities.extend(Priority::parse(frame)),
            _ => {}
        }
        (self.block.is_some() && frame.flags & END_HEADERS != 0).then(|| self.finish(&[]))
    }

    fn finish(&mut self, more: &[u8]) -> Progress {
        let mut block = self.block.take().unwrap_or_default();
        block.extend_from_slice(more);
        let order = pseudo_order(&block);
        let mut text = join(self.settings.iter().flatten(), ";", |text, (id, value)| write!(text, "{id}:{value}"));
        let _ = match self.window {
            Some(increment) => write!(text, "|{increment}|"),
            None => write!(text, "|00|"),
        };
        if self.priorities.is_empty() {
            text.push('0');
        }
        text += &join(self.priorities.iter(), ",", |text, p| {
            write!(text, "{}:{}:{}:{}", p.stream, u8::from(p.exclusive), p.parent, p.weight)
        });
        text.push('|');
        let unknown = (!order.complete || block.is_empty()).then_some(&b'?');
        text += &join(order.letters.iter().chain(unknown), ",", |text, letter| write!(text, "{}", char::from(*letter)));
        Progress::Found(text)
    }
}

// Frame types and flags, RFC 9113 §6.
const HEADERS: u8 = 0x1;
const PRIORITY: u8 = 0x2;
const SETTINGS: u8 = 0x4;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const HAS_PRIORITY: u8 = 0x20;
const FRAME_HEADER_BYTES: usize = 9;

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes` and what follows it; `None` until it is there whole.
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (header, rest) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>()?;
        let [len_2, len_1, len_0, kind, flags, stream @ ..] = *header;
        let len = usize::try_from(u32::from_be_bytes([0, len_2, len_1, len_0])).ok()?;
        let (payload, after) = rest.split_at_checked(len)?;
        Some((Self { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload }, after))
    }

    /// Header block fragment of a HEADERS frame without padding and priority fields (RFC 9113 §6.2).
    fn header_fragment(&self) -> &'a [u8] {
        let (padding, rest) = match (self.flags & PADDED != 0, self.payload.split_first()) {
            (true, Some((padding, rest))) => (usize::from(*padding), rest),
            _ => (0, self.payload),
        };
        let rest = if self.flags & HAS_PRIORITY != 0 { rest.get(5..).unwrap_or_default() } else { rest };
        rest.get(..rest.len().saturating_sub(padding)).unwrap_or_default()
    }
}

/// What is there of a header block whose frame exceeds the limit: pseudo-headers come first, so it usually suffices.
fn partial_block(bytes: &[u8]) -> Vec<u8> {
    let Some((&[_, _, _, kind, flags, _, _, _, _], payload)) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return Vec::new();
    };
    match kind {
        // The padding stands at the end, which is not there: only its length byte is skipped.
        HEADERS if flags & PADDED != 0 => {
            Frame { kind, flags: flags & HAS_PRIORITY, stream: 0, payload: payload.get(1..).unwrap_or_default() }
                .header_fragment()
                .to_vec()
        }
        HEADERS => Frame { kind, flags, stream: 0, payload }.header_fragment().to_vec(),
        CONTINUATION => payload.to_vec(),
        _ => Vec::new(),
    }
}

#[derive(Debug, Clone, Copy)]
struct Priority {
    stream: u32,
    exclusive: bool,
    parent: u32,
    weight: u16,
}

impl Priority {
    fn parse(frame: &Frame<'_>) -> Option<Self> {
        let ([a, b, c, d], rest) = frame.payload.split_first_chunk::<4>()?;
        let parent = u32::from_be_bytes([*a, *b, *c, *d]);
        let weight = u16::from(*rest.first()?).saturating_add(1);
        Some(Self { stream: frame.stream, exclusive: parent >> 31 == 1, parent: parent & 0x7fff_ffff, weight })
    }
}

fn setting(bytes: &[u8]) -> Option<(u16, u32)> {
    let ([id_1, id_0], value) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes([*id_1, *id_0]), u32::from_be_bytes(*value.first_chunk()?)))
}

fn be_u31(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?) & 0x7fff_ffff)
}

fn join<T>(items: impl Iterator<Item = T>, between: &str, mut one: impl FnMut(&mut String, T) -> std::fmt::Result) -> String {
    let mut text = String::new();
    for (position, item) in items.enumerate() {
        if position > 0 {
            text.push_str(between);
        }
        let _ = one(&mut text, item); // writing to a String cannot fail
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
        frame(
            SETTINGS,
            0,
            0,
            &pairs.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect::<Vec<_>>(),
        )
    }

    /// `:method :authority :scheme :path`, then a regular field: Chrome's order.
    const MASP: &[u8] = b"\x82\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff\x87\x84\x7a\x00";

    fn chrome() -> Vec<u8> {
        let prioritized = [&[0x80, 0, 0, 0, 255][..], MASP].concat();
        [
            MAGIC,
            &settings(&[(1, 65536), (2, 0), (4, 6_291_456), (6, 262_144)]),
            &frame(WINDOW_UPDATE, 0, 0, &15_663_105u32.to_be_bytes()),
            &frame(HEADERS, END_HEADERS | HAS_PRIORITY | 1, 1, &prioritized),
        ]
        .concat()
    }

    fn firefox() -> Vec<u8> {
        let priority =
            |stream: u32, parent: u32, weight: u8| frame(PRIORITY, 0, stream, &[&parent.to_be_bytes()[..], &[weight]].concat());
        let padded = [&[4, 0, 0, 0, 13, 41][..], b"\x82\x84\x41\x01x\x87\x7a\x00", &[0; 4]].concat();
        [
            MAGIC,
            &settings(&[(1, 65536), (4, 131_072), (5, 16384)]),
            &frame(WINDOW_UPDATE, 0, 0, &12_517_377u32.to_be_bytes()),
            &priority(3, 0, 200),
            &priority(5, 0, 100),
            &priority(9, 0x8000_0007, 0),
            &frame(SETTINGS, ACK, 0, b""),
            &frame(0xbe, 0, 0, b"grease"),
            &frame(HEADERS, END_HEADERS | HAS_PRIORITY | PADDED, 15, &padded),
        ]
        .concat()
    }

    const CHROME: &str = "1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p";
    const FIREFOX: &str = "1:65536;4:131072;5:16384|12517377|3:0:0:201,5:0:0:101,9:1:7:1|m,p,a,s";

    #[test]
    fn published_browser_fingerprints() {
        assert_eq!(Preface::default().feed(&chrome()), Progress::Found(CHROME.into()));
        assert_eq!(Preface::default().feed(&firefox()), Progress::Found(FIREFOX.into()));
    }

    #[test]
    fn http1_is_known_at_its_first_foreign_byte() {
        assert_eq!(Preface::default().feed(b"G"), Progress::NotHttp2);
        let mut preface = Preface::default();
        assert_eq!(preface.feed(b"P"), Progress::More);
        assert_eq!(preface.feed(b"OST / HTTP/1.1\r\n"), Progress::NotHttp2);
    }

    #[test]
    fn a_block_spread_over_continuations_is_one_block() {
        let (head, tail) = MASP.split_at(3);
        let bytes =
            [MAGIC, &settings(&[(3, 100)]), &frame(HEADERS, 0, 1, head), &frame(CONTINUATION, END_HEADERS, 1, tail)].concat();
        assert_eq!(Preface::default().feed(&bytes), Progress::Found("3:100|00|0|m,a,s,p".into()));
    }

    #[test]
    fn a_foreign_frame_inside_a_block_ends_it_as_unknown() {
        let bytes = [MAGIC, &settings(&[(3, 100)]), &frame(HEADERS, 0, 1, b"\x82\x41"), &frame(6, 0, 0, &[0; 8])].concat();
        assert_eq!(Preface::default().feed(&bytes), Progress::Found("3:100|00|0|m,?".into()));
    }

    #[test]
    fn a_header_block_beyond_the_limit_still_gives_its_order() {
        for flags in [END_HEADERS, END_HEADERS | PADDED | HAS_PRIORITY] {
            let fields: &[u8] = if flags & PADDED != 0 { &[9, 0, 0, 0, 0, 1] } else { &[] };
            let big = [fields, MASP, &[0x84; 0]].concat();
            let block = [&big[..], &b"\x00\x01x\x01y".repeat(4000)].concat();
            let bytes = [MAGIC, &settings(&[(2, 0)]), &frame(HEADERS, flags, 1, &block)].concat();
            let mut preface = Preface::default();
            assert_eq!(preface.feed(&bytes[..MAX_BYTES - 1]), Progress::More);
            assert_eq!(preface.feed(&bytes[MAX_BYTES - 1..]), Progress::Found("2:0|00|0|m,a,s,p".into()));
        }
    }

    #[test]
    fn a_flood_of_other_frames_ends_at_the_limit_with_what_was_seen() {
        let bytes = [MAGIC, &settings(&[(2, 0)]), &frame(6, 0, 0, &[0; 8]).repeat(2000)].concat();
        assert_eq!(Preface::default().feed(&bytes), Progress::Found("2:0|00|0|?".into()));
        let bytes = [MAGIC, &frame(6, 0, 0, &[0; 8]).repeat(2000)].concat();
        assert_eq!(Preface::default().feed(&bytes), Progress::NotHttp2);
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_never_matters(cuts in proptest::collection::vec(1usize..40, 1..200), which in any::<bool>()) {
            let (bytes, expected) = if which { (chrome(), CHROME) } else { (firefox(), FIREFOX) };
            let (mut preface, mut rest, mut cuts) = (Preface::default(), bytes.as_slice(), cuts.into_iter().cycle());
            let mut last = Progress::More;
            while !rest.is_empty() {
                prop_assert_eq!(&last, &Progress::More);
                let (head, tail) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                last = preface.feed(head);
                rest = tail;
            }
            prop_assert_eq!(last, Progress::Found(expected.into()));
        }

        #[test]
        fn any_frames_end_bounded(kinds in proptest::collection::vec((0u8..12, any::<u8>(), 0u32..4, proptest::collection::vec(any::<u8>(), 0..60)), 0..400)) {
            let mut preface = Preface::default();
            let mut last = preface.feed(MAGIC);
            for (kind, flags, stream, payload) in kinds {
                if last != Progress::More { break; }
                last = preface.feed(&frame(kind, flags, stream, &payload));
                prop_assert!(preface.pending.len() <= MAX_BYTES);
            }
            if let Progress::Found(text) = last {
                prop_assert!(text.len() < 2048 && text.is_ascii() && text.matches('|').count() == 3);
            }
        }
    }
}
