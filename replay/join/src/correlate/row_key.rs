//! The identity of a row: 128 bits of SHA-256 over the request as logged, and its ordinal among identical records of one source.
//!
//! Promises: the same record of the same input gives the same key in every run, live or replayed, whatever skew is applied;
//! the same file read twice, or two rotated logs that overlap, give the same keys; two identical lines of one log give two.
//! SHA-256 because record contents are chosen by clients: with a weaker hash a client could make its rows replace each other.
//!
//! Read next: `engine.rs` (keeps one [`RowKeyer`] per source), `row.rs` (`row_hi`, `row_lo`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use foldhash::quality::RandomState;
use ja4_event::HttpEvent;
use sha2::{Digest, Sha256};

/// 128-bit key of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RowKey(pub u128);

impl RowKey {
    /// Upper half, as stored in `row_hi`.
    #[must_use]
    pub fn hi(self) -> i64 {
        ((self.0 >> 64) as u64).cast_signed()
    }

    /// Lower half, as stored in `row_lo`.
    #[must_use]
    pub fn lo(self) -> i64 {
        (self.0 as u64).cast_signed()
    }
}

/// Gives the records of one source their keys; remembers recent contents to number identical ones.
///
/// Identical records more than `capacity` distinct records apart get the same key (they carry the same time, so in a log they
/// stand next to each other).
#[derive(Debug, Default)]
pub struct RowKeyer {
    current: HashMap<u128, u32, RandomState>,
    previous: HashMap<u128, u32, RandomState>,
    content: Vec<u8>,
}

impl RowKeyer {
    /// A keyer that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Key of `event` and its ordinal among the identical records seen so far, from 0. `capacity` bounds each of two generations.
    pub fn key(&mut self, event: &HttpEvent, capacity: usize) -> (RowKey, u32) {
        self.content.clear();
        write_content(&mut self.content, event);
        let content = first_128(&Sha256::digest(&self.content));
        let is_full = self.current.len() >= capacity;
        let ordinal = match self.current.entry(content) {
            Entry::Occupied(mut count) => {
                *count.get_mut() = count.get().saturating_add(1);
                *count.get()
            }
            Entry::Vacant(place) => {
                let ordinal = self.previous.get(&content).map_or(0, |count| count.saturating_add(1));
                if is_full {
                    // Swap rather than drop, so that the larger allocation is reused.
                    std::mem::swap(&mut self.current, &mut self.previous);
                    self.current.clear();
                    self.current.insert(content, ordinal);
                } else {
                    place.insert(ordinal);
                }
                ordinal
            }
        };
        if ordinal == 0 {
            return (RowKey(content), 0);
        }
        let mut hasher = Sha256::new();
        hasher.update(content.to_be_bytes());
        hasher.update(ordinal.to_be_bytes());
        (RowKey(first_128(&hasher.finalize())), ordinal)
    }

    /// Contents remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn first_128(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |value, byte| (value << 8) | u128::from(*byte))
}

/// Every field in the order of the event, each with a mark of presence and its length: no two events share an encoding.
fn write_content(out: &mut Vec<u8>, e: &HttpEvent) {
    out.extend_from_slice(b"ja4 row 1");
    number(out, Some(e.ts_ns));
    number(out, Some(e.ts_resolution_ns));
    ip(out, e.src_ip);
    number(out, e.src_port.map(i64::from));
    ip(out, e.dst_ip);
    number(out, e.dst_port.map(i64::from));
    ip(out, e.client_ip);
    text(out, e.server.as_deref());
    text(out, e.conn_id.as_deref());
    number(out, e.request_no.map(i64::from));
    for field in [&e.scheme, &e.method, &e.host, &e.path, &e.query, &e.http_version] {
        text(out, field.as_deref());
    }
    number(out, e.status.map(i64::from));
    for field in [e.request_bytes, e.response_bytes, e.duration_us] {
        number(out, field.map(u64::cast_signed));
    }
    out.push(u8::from(e.headers_complete));
    number(out, i64::try_from(e.headers.len()).ok());
    for (name, value) in &e.headers {
        text(out, Some(name));
        text(out, Some(value));
    }
    text(out, e.h2.as_deref());
}

fn number(out: &mut Vec<u8>, value: Option<i64>) {
    match value {
        Some(value) => {
            out.push(1);
            out.extend_from_slice(&value.to_be_bytes());
        }
        None => out.push(0),
    }
}

fn ip(out: &mut Vec<u8>, value: Option<IpAddr>) {
    match value {
        Some(value) => {
            out.push(1);
            out.extend_from_slice(&super::key::ip_number(value).to_be_bytes());
        }
        None => out.push(0),
    }
}

fn text(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => {
            out.push(1);
            out.extend_from_slice(&(value.len() as u64).to_be_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        None => out.push(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(ts_ns: i64, path: &str) -> HttpEvent {
        HttpEvent { ts_ns, path: Some(path.to_owned()), ..HttpEvent::default() }
    }

    #[test]
    fn two_identical_lines_of_one_log_are_two_rows_and_reading_it_again_gives_the_same_two() {
        let read = || {
            let mut keyer = RowKeyer::new();
            [event(1, "/a"), event(1, "/a"), event(2, "/a")].map(|e| keyer.key(&e, 10).0)
        };
        let first = read();
        assert_ne!(first[0], first[1]);
        assert_ne!(first[0], first[2]);
        assert_eq!(first, read());
    }

    #[test]
    fn a_value_moved_to_the_next_field_is_another_row() {
        let mut keyer = RowKeyer::new();
        let a = HttpEvent { path: Some("/a".into()), query: None, ..HttpEvent::default() };
        let b = HttpEvent { path: None, query: Some("/a".into()), ..HttpEvent::default() };
        assert_ne!(keyer.key(&a, 10).0, keyer.key(&b, 10).0);
    }

    #[test]
    fn memory_stays_within_two_generations() {
        let mut keyer = RowKeyer::new();
        for ts in 0..1000 {
            keyer.key(&event(ts, "/"), 16);
        }
        assert!(keyer.len() <= 32);
    }
}
