//! A bounded cache keyed by text, in two generations: when the current one is full, the previous one is dropped.
//!
//! Promises: never more than twice the capacity; randomly seeded, because clients choose the keys; only speeds things up, never
//! changes a result, because what is cached is a pure function of its key. Long keys are not kept.
//!
//! Read next: `enricher.rs`, the user.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::row::Text;

/// Keys longer than this are computed each time: attacker-made texts must not fill memory.
const MAX_KEY_BYTES: usize = 512;

/// A bounded map from text to what was computed from it.
#[derive(Debug, Clone)]
pub struct TextCache<V> {
    current: HashMap<Text, V, RandomState>,
    previous: HashMap<Text, V, RandomState>,
    capacity: usize,
}

impl<V: Clone> TextCache<V> {
    /// An empty cache of two generations with `capacity` entries each.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { current: HashMap::default(), previous: HashMap::default(), capacity: capacity.max(1) }
    }

    /// The value for `key`, computed if it is not known; the key comes back as shared text.
    pub fn get(&mut self, key: &str, compute: impl FnOnce(&str) -> V) -> (Text, V) {
        if let Some((text, value)) = self.current.get_key_value(key) {
            return (Arc::clone(text), value.clone());
        }
        if key.len() > MAX_KEY_BYTES {
            return (Arc::from(key), compute(key));
        }
        let (text, value) = match self.previous.get_key_value(key) {
            Some((text, value)) => (Arc::clone(text), value.clone()),
            None => (Arc::from(key), compute(key)),
        };
        if self.current.len() >= self.capacity {
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.clear();
        }
        self.current.insert(Arc::clone(&text), value.clone());
        (text, value)
    }

    /// Entries held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_stays_bounded_and_every_answer_is_right() {
        let mut cache = TextCache::new(8);
        for i in 0..1000 {
            let key = (i % 37).to_string();
            let (text, value) = cache.get(&key, str::len);
            assert_eq!((&*text, value), (key.as_str(), key.len()));
            assert!(cache.len() <= 16);
        }
        cache.get(&"x".repeat(MAX_KEY_BYTES + 1), str::len);
        assert!(cache.len() <= 16);
    }
}
