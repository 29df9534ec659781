//! How long each part of a scoring run took: `score --timings`.
//!
//! Promises: parts in the order they began; processor time is that of the whole process, so of parts that run side by side it is told once,
//! for the part of the run that holds them.
//!
//! Read next: `crate::cycle::watch`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::console::Console;
use crate::cycle::watch::{DONE, RUN, Watch};

/// What Linux counts processor time in, per second (`USER_HZ`, the same on every architecture it is told to programs on).
const TICKS_PER_SECOND: f64 = 100.0;

/// Parts as they begin.
#[derive(Clone, Default)]
pub struct Timings(Arc<Mutex<Vec<Part>>>);

struct Part {
    lane: &'static str,
    name: &'static str,
    began: Instant,
    used_before: f64,
}

impl Timings {
    /// What a plan takes.
    pub fn watch(&self) -> Watch {
        let own = self.clone();
        Watch::new(move |lane, name| own.add(lane, name))
    }

    /// A part that belongs to the command and not to the run.
    #[allow(clippy::disallowed_methods, reason = "the command line is the outermost driver")]
    pub fn add(&self, lane: &'static str, name: &'static str) {
        let part = Part { lane, name, began: Instant::now(), used_before: processor_seconds() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(part);
    }

    /// Prints what was heard until now.
    pub fn print(&self, console: &Console) {
        self.add(RUN, "end");
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, part) in parts.iter().enumerate() {
            if part.name == DONE {
                continue;
            }
            let behind = || parts.iter().skip(place + 1);
            // A model's last part ends with the run's.
            let Some(next) = behind().find(|next| next.lane == part.lane).or_else(|| behind().find(|next| next.lane == RUN))
            else {
                continue;
            };
            let wall = next.began.duration_since(part.began).as_secs_f64();
            if part.lane == RUN {
                let used = next.used_before - part.used_before;
                console.timing(&format!("{wall:8.2} s  {used:8.2} processor s  {}", part.name));
            } else {
                console.timing(&format!("{wall:8.2} s                         {}: {}", part.lane, part.name));
            }
        }
    }
}

/// Seconds that all threads of this process have computed; 0 where the system does not tell.
fn processor_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, which may hold anything, ends with the last parenthesis; user and system time are the 12th and 13th field behind it.
    let fields = told.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}
