//! The line of figures for SIGUSR1 and the end: one JSON object on standard error.
//!
//! Promises: nothing of what was captured is in it, only names of interfaces and numbers.
//!
//! Read next: `run.rs`.

use ja4_capture::live::InterfaceStats;
use ja4_capture::{Counters, PolicyReport};
use serde::Serialize;

use crate::queue::Sent;

/// The figures.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// What the sensor counted: packets, bytes, handshakes, events…
    #[serde(flatten)]
    pub counters: Counters,
    /// Dropped by the kernel on all interfaces, because a ring was full.
    pub kernel_dropped: u64,
    /// Dropped by interfaces or their drivers.
    pub interface_dropped: u64,
    /// Handed out after a later packet of another interface.
    pub out_of_order: u64,
    /// Events that `include` and `exclude` kept back.
    pub filtered: u64,
    /// What became of the others.
    #[serde(flatten)]
    pub sent: Sent,
    /// Each interface.
    pub interfaces: Vec<InterfaceStats>,
    /// Places where captures are damaged.
    pub damage: u64,
    /// Each bounded table.
    pub policies: Vec<PolicyReport>,
}

impl Figures {
    /// Prints them.
    pub fn print(&self) {
        match serde_json::to_string(self) {
            Ok(line) => eprintln!("{line}"),
            Err(error) => eprintln!("ja4-sentinel: cannot print the figures: {error}"),
        }
    }
}
