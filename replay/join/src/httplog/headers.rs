//! Which headers an event can speak of, and which values it may not carry.
//!
//! Promises: a header is "absent" only where the log would have shown it; a secret value never leaves the reader.
//!
//! Read next: `reqin.rs` and `logformat/mod.rs`, which know the names; the row builder, which asks.

use std::sync::Arc;

use ja4_event::HttpEvent;

/// Headers that a log names in each record, beyond which it knows nothing. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHeaders(Arc<[String]>);

impl Default for NamedHeaders {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl NamedHeaders {
    /// Whether a missing `header` (ASCII case ignored) in `event` means that the client did not send it.
    #[must_use]
    pub fn absence_is_known(&self, event: &HttpEvent, header: &str) -> bool {
        event.headers_complete || self.0.iter().any(|name| name.eq_ignore_ascii_case(header))
    }

    /// The names, in the order of the format; empty for the module's records, which are complete by themselves.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Adds a name if it is new and there is room for it; returns its place.
    pub(super) fn learn(&mut self, name: &str) -> usize {
        if let Some(place) = self.0.iter().position(|known| known == name) {
            return place;
        }
        let place = self.0.len();
        if place < MAX_NAMED {
            self.0 = self.0.iter().cloned().chain(std::iter::once(name.to_owned())).collect();
        }
        place
    }
}

/// Most names kept per log; of further ones an absence stays unknown.
const MAX_NAMED: usize = 256;

/// Headers whose value no event may carry. The value is its length in bytes, or empty where only the presence was logged.
pub(super) fn is_secret(header: &str) -> bool {
    ["Cookie", "Authorization", "Proxy-Authorization"].iter().any(|secret| secret.eq_ignore_ascii_case(header))
}

/// Length in bytes of a secret header's value; `None` where only its presence was logged.
#[must_use]
pub fn secret_bytes(value: &str) -> Option<u64> {
    value.parse().ok()
}
