//! What went wrong with a request: a status and one sentence, sent as JSON.
//!
//! Promises: a 5xx tells what the client can do, never a path, a statement or a password.
//!
//! Read next: `../http/mod.rs`.

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// One sentence.
    pub message: String,
    /// Seconds after which to ask again, where that helps.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// The request cannot be meant: 400.
    #[must_use]
    pub fn bad(message: String) -> Self {
        Self { status: 400, message, retry_after_s: None }
    }

    /// Another status.
    #[must_use]
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after_s: None }
    }

    /// Not now: ask again after `seconds`.
    #[must_use]
    pub fn later(status: u16, message: impl Into<String>, seconds: u64) -> Self {
        Self { status, message: message.into(), retry_after_s: Some(seconds) }
    }

    /// The JSON that is sent.
    #[must_use]
    pub fn json(&self) -> String {
        format!("{{\"status\":{},\"error\":{}}}", self.status, crate::render::json_text(&self.message))
    }
}
