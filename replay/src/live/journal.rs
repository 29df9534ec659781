//! The journal: everything that decides what rows there are, in the order in which it was taken, as records of a spool.
//!
//! Besides events it holds each step of the watermark and each end of the program, so that joining the journal again gives the same rows
//! in the same order, on a machine whose clock says something else.
//!
//! Promises: `read(write(entry)) == entry`; a record that cannot be read is an error with a reason, never a guess.
//!
//! Read next: `join.rs`, `../spool/mod.rs`.

use ja4_event::HttpEvent;
use ja4_join::httplog::TailState;
use serde::{Deserialize, Serialize};

use super::Stream;

/// Kinds of records.
mod kind {
    pub const HTTP: u8 = 1;
    pub const NETWORK: u8 = 2;
    pub const ADVANCE: u8 = 3;
    pub const STOPPED: u8 = 4;
    pub const LINE: u8 = 5;
    pub const TAIL: u8 = 6;
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A request as it came, unread.
    Http(Vec<u8>),
    /// A handshake as it came, unread.
    Network(Vec<u8>),
    /// Event time has passed this far, ns: `Correlator::advance` was called with it.
    Advance(i64),
    /// The program ended and decided everything that waited.
    Stopped,
    /// A request that a log reader made, with the number of its log.
    Line {
        /// Which log.
        log: u32,
        /// The request.
        event: Box<HttpEvent>,
    },
    /// How far a log was read when everything before this was taken.
    Tail(TailMark),
}

/// See [`Entry::Tail`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailMark {
    /// Which log.
    pub log: u32,
    /// Where to go on.
    pub state: TailState,
    /// Headers that the log names.
    pub named_headers: Vec<String>,
}

impl Entry {
    /// Kind of the record that holds an event of this stream as it came.
    #[must_use]
    pub fn raw_kind(stream: Stream) -> u8 {
        match stream {
            Stream::Http => kind::HTTP,
            Stream::Network => kind::NETWORK,
        }
    }

    /// As a record: kind and payload.
    #[must_use]
    pub fn write(self) -> (u8, Vec<u8>) {
        let json = |value: serde_json::Result<Vec<u8>>| value.unwrap_or_default();
        match self {
            Self::Http(bytes) => (kind::HTTP, bytes),
            Self::Network(bytes) => (kind::NETWORK, bytes),
            Self::Advance(ns) => (kind::ADVANCE, ns.to_le_bytes().to_vec()),
            Self::Stopped => (kind::STOPPED, Vec::new()),
            Self::Line { log, event } => {
                let mut payload = log.to_le_bytes().to_vec();
                payload.append(&mut json(serde_json::to_vec(&event)));
                (kind::LINE, payload)
            }
            Self::Tail(mark) => (kind::TAIL, json(serde_json::to_vec(&mark))),
        }
    }

    /// From a record.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(kind: u8, payload: Vec<u8>) -> Result<Self, String> {
        let cut = || "is too short".to_owned();
        Ok(match kind {
            kind::HTTP => Self::Http(payload),
            kind::NETWORK => Self::Network(payload),
            kind::ADVANCE => Self::Advance(i64::from_le_bytes(*payload.first_chunk().ok_or_else(cut)?)),
            kind::STOPPED => Self::Stopped,
            kind::LINE => {
                let (log, json) = payload.split_first_chunk().ok_or_else(cut)?;
                let event = serde_json::from_slice(json).map_err(|error| error.to_string())?;
                Self::Line { log: u32::from_le_bytes(*log), event: Box::new(event) }
            }
            kind::TAIL => Self::Tail(serde_json::from_slice(&payload).map_err(|error| error.to_string())?),
            other => return Err(format!("is of kind {other}, which this version of the program does not know")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_as_they_were() {
        let event =
            HttpEvent { v: 1, ts_ns: -5, host: Some("a\0\u{202e}\"".into()), ts_resolution_ns: 1000, ..HttpEvent::default() };
        let state = TailState { files: vec![ja4_join::httplog::FileState { byte_offset: 7, ..Default::default() }] };
        let entries = [
            Entry::Http(vec![0, 255, b'{']),
            Entry::Network(Vec::new()),
            Entry::Advance(i64::MIN),
            Entry::Stopped,
            Entry::Line { log: 3, event: Box::new(event) },
            Entry::Tail(TailMark { log: 1, state, named_headers: vec!["Host".into()] }),
        ];
        for entry in entries {
            let (kind, payload) = entry.clone().write();
            assert_eq!(Entry::read(kind, payload), Ok(entry));
        }
        assert!(Entry::read(99, Vec::new()).is_err() && Entry::read(kind::ADVANCE, vec![1]).is_err());
    }
}
