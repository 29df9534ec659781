//! Answers kept for those who ask the same again: dashboards do, every few seconds.
//!
//! Promises: at most [`BYTES`] in all and [`ENTRY`] for one; an answer of an earlier generation (a cycle ended, the store was opened
//! again) or past its time is never given; when there is no room the oldest goes.
//!
//! Read next: `mod.rs`.

use std::collections::{BTreeMap, VecDeque};

use axum::body::Bytes;

/// Bytes of all answers.
pub const BYTES: usize = 32 << 20;
/// Bytes of one.
pub const ENTRY: usize = 2 << 20;

/// The kept answers.
#[derive(Debug, Default)]
pub struct Cache {
    generation: u64,
    entries: BTreeMap<String, Entry>,
    order: VecDeque<(String, u64)>,
    serial: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    until_ns: i64,
    media_type: &'static str,
    bytes: Bytes,
    serial: u64,
    /// How often it was given.
    given: u64,
}

impl Cache {
    /// The answer to `key`, if one is kept.
    pub fn get(&mut self, key: &str, generation: u64, now_ns: i64) -> Option<(&'static str, Bytes)> {
        self.renew(generation);
        let entry = self.entries.get_mut(key).filter(|entry| now_ns < entry.until_ns)?;
        entry.given += 1;
        Some((entry.media_type, entry.bytes.clone()))
    }

    /// Keeps an answer that was asked for at `generation`.
    pub fn put(&mut self, key: String, generation: u64, until_ns: i64, media_type: &'static str, bytes: Bytes) {
        let size = key.len() + bytes.len();
        if generation < self.generation || size > ENTRY {
            return;
        }
        self.renew(generation);
        self.forget(&key);
        self.serial += 1;
        self.bytes += size;
        self.order.push_back((key.clone(), self.serial));
        self.entries.insert(key, Entry { until_ns, media_type, bytes, serial: self.serial, given: 0 });
        while self.bytes > BYTES {
            let Some((oldest, serial)) = self.order.pop_front() else { return };
            if self.entries.get(&oldest).is_some_and(|entry| entry.serial == serial) {
                self.forget(&oldest);
            }
        }
    }

    /// What was asked more than once in this generation, most asked first; at most `most`.
    pub fn asked_again(&self, most: usize) -> Vec<String> {
        let mut keys: Vec<(u64, &String)> =
            self.entries.iter().map(|(key, entry)| (entry.given, key)).filter(|(given, _)| *given > 0).collect();
        keys.sort_by(|a, b| b.cmp(a));
        keys.into_iter().take(most).map(|(_, key)| key.clone()).collect()
    }

    fn forget(&mut self, key: &str) {
        if let Some(old) = self.entries.remove(key) {
            self.bytes = self.bytes.saturating_sub(key.len() + old.bytes.len());
        }
        // Places of forgotten entries are dropped with them, so that the queue is no longer than the table.
        self.order.retain(|(kept, _)| kept != key);
    }

    fn renew(&mut self, generation: u64) {
        if generation > self.generation {
            *self = Self { generation, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_never_stale() {
        let mut cache = Cache::default();
        for number in 0..100 {
            cache.put(format!("k{number}"), 1, 100, "t", Bytes::from(vec![0; 1 << 20]));
        }
        assert!(cache.bytes <= BYTES && cache.order.len() == cache.entries.len());
        assert!(cache.get("k99", 1, 50).is_some() && cache.get("k0", 1, 50).is_none());
        assert!(cache.get("k99", 1, 100).is_none(), "past its time");
        cache.put("k99".to_owned(), 1, 200, "t", Bytes::from_static(b"new"));
        assert_eq!(cache.get("k99", 1, 150).unwrap().1, "new");
        assert_eq!(cache.asked_again(5), ["k99"], "what was given, not what was only kept");
        assert!(cache.get("k99", 2, 150).is_none(), "another generation");
        cache.put("late".to_owned(), 1, 200, "t", Bytes::new());
        assert!(cache.get("late", 2, 0).is_none());
        cache.put("big".to_owned(), 2, 200, "t", Bytes::from(vec![0; ENTRY + 1]));
        assert!(cache.get("big", 2, 0).is_none());
    }
}
