//! The stage that reads captures: packets to handshakes, in batches, on a thread of its own.
//!
//! Promises: damage is collected with file and offset and never ends the stage; the stage ends early only when nobody listens.
//!
//! Read next: `ja4_capture::sense_files`.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use ja4_capture::{CaptureError, Options, Summary, sense_files};
use ja4_event::NetworkEvent;

use super::{BATCH_EVENTS, Batch};
use crate::error::ReplayError;

/// Reads `captures` to their end and sends what is seen.
pub(super) fn read(
    captures: &[PathBuf],
    options: &Options,
    read: &AtomicU64,
    out: &SyncSender<Batch<NetworkEvent>>,
) -> Result<Summary, ReplayError> {
    if captures.is_empty() {
        let _ = out.send(Batch { events: Vec::new(), reached_ns: i64::MAX });
        return Ok(Summary::default());
    }
    let events = RefCell::new(Vec::with_capacity(BATCH_EVENTS));
    let reached_ns = RefCell::new(i64::MIN);
    let send = |reached_ns: i64| out.send(Batch { events: events.take(), reached_ns }).is_ok();
    let mut receive = |event: NetworkEvent| {
        events.borrow_mut().push(event);
        if events.borrow().len() >= BATCH_EVENTS {
            // Nobody listens only when a later stage failed; the next look at progress ends this one.
            send(*reached_ns.borrow());
        }
    };
    let mut progress = |progress: &ja4_capture::run::Progress| {
        read.store(progress.bytes_read, Ordering::Relaxed);
        let Some(watermark_ns) = progress.watermark_ns else { return ControlFlow::Continue(()) };
        reached_ns.replace(watermark_ns);
        if send(watermark_ns) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let summary = match sense_files(captures, options, &mut receive, &mut progress) {
        Ok(summary) => summary,
        // Stopped because a later stage failed: that one has the reason.
        Err(CaptureError::Stopped) => return Ok(Summary::default()),
        Err(error) => return Err(error.into()),
    };
    send(i64::MAX);
    Ok(summary)
}
