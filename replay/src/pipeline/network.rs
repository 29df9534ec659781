//! The stage that reads captures: packets to handshakes, in batches, on a thread of its own; and the requests that the capture
//! itself shows, in clear text or by keys.
//!
//! Promises: damage is collected with file and offset and never ends the stage; the stage ends early only when nobody listens.
//!
//! Read next: `ja4_capture::run_files`, `truth.rs`.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use ja4_capture::{CaptureError, ConnectionRecord, Options, Progress, SensorSink, Summary, run_files};
use ja4_event::{HttpEvent, NetworkEvent};
use ja4_join::correlate::SourceId;

use super::http::SourcedRequest;
use super::truth::Truth;
use super::{BATCH_EVENTS, Batch};
use crate::error::ReplayError;

/// What the requests that a capture shows are for.
pub(super) enum Requests {
    /// Nothing: the logs tell what was requested.
    Unread,
    /// The input, because there is no log.
    Input(SyncSender<Batch<SourcedRequest>>),
    /// To measure the join of the logs.
    Truth,
}

/// What a capture told beside its handshakes.
pub(super) struct Captured {
    pub summary: Summary,
    /// Requests handed on as input.
    pub requests: u64,
    pub truth: Option<Truth>,
}

/// Reads `captures` to their end and sends what is seen.
pub(super) fn read(
    captures: &[PathBuf],
    options: &Options,
    requests: Requests,
    read: &AtomicU64,
    out: &SyncSender<Batch<NetworkEvent>>,
) -> Result<Captured, ReplayError> {
    let truth = matches!(requests, Requests::Truth).then(Truth::default);
    let shared = RefCell::new(Shared { events: Vec::new(), requests: Vec::new(), sent: 0, reached_ns: i64::MIN, truth });
    let stage = Stage { shared: &shared, requests: &requests, out };
    let mut summary = Summary::default();
    if !captures.is_empty() {
        let mut progress = |progress: &Progress| {
            read.store(progress.bytes_read, Ordering::Relaxed);
            let Some(watermark_ns) = progress.watermark_ns else { return ControlFlow::Continue(()) };
            stage.shared.borrow_mut().reached_ns = watermark_ns;
            if stage.send() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        match run_files(captures, options, &mut { &stage }, &mut progress) {
            Ok(done) => summary = done,
            // Stopped because a later stage failed: that one has the reason.
            Err(CaptureError::Stopped) => {}
            Err(error) => return Err(error.into()),
        }
    }
    shared.borrow_mut().reached_ns = i64::MAX;
    stage.send();
    let Shared { sent, truth, .. } = shared.into_inner();
    Ok(Captured { summary, requests: sent, truth })
}

struct Shared {
    events: Vec<NetworkEvent>,
    requests: Vec<SourcedRequest>,
    sent: u64,
    reached_ns: i64,
    truth: Option<Truth>,
}

struct Stage<'a> {
    shared: &'a RefCell<Shared>,
    requests: &'a Requests,
    out: &'a SyncSender<Batch<NetworkEvent>>,
}

impl Stage<'_> {
    /// Hands on what has come; false when nobody listens any more.
    fn send(&self) -> bool {
        let (events, requests, reached_ns) = {
            let mut shared = self.shared.borrow_mut();
            let requests = std::mem::take(&mut shared.requests);
            shared.sent = shared.sent.saturating_add(u64::try_from(requests.len()).unwrap_or_default());
            (std::mem::take(&mut shared.events), requests, shared.reached_ns)
        };
        let sent = self.out.send(Batch { events, reached_ns }).is_ok();
        match self.requests {
            // One thread feeds both streams, so it sends both each time: the join never waits for one while the other is full.
            Requests::Input(out) => sent && out.send(Batch { events: requests, reached_ns }).is_ok(),
            Requests::Unread | Requests::Truth => sent,
        }
    }
}

impl SensorSink for &Stage<'_> {
    fn wants_records(&self) -> bool {
        false
    }

    fn wants_http(&self) -> bool {
        !matches!(self.requests, Requests::Unread)
    }

    fn record(&mut self, _: ConnectionRecord) {}

    fn event(&mut self, event: NetworkEvent) {
        let mut shared = self.shared.borrow_mut();
        if let Some(truth) = &mut shared.truth {
            truth.hello(&event);
        }
        shared.events.push(event);
        // Between two looks at progress there are few events unless a flood comes; then both streams must stay in step.
        if shared.events.len() >= BATCH_EVENTS && !matches!(self.requests, Requests::Input(_)) {
            drop(shared);
            // Nobody listens only when a later stage failed; the next look at progress ends this one.
            self.send();
        }
    }

    fn http(&mut self, request: HttpEvent) {
        let mut shared = self.shared.borrow_mut();
        match &mut shared.truth {
            Some(truth) => truth.request(&request),
            None => shared.requests.push((request, SourceId(0))),
        }
    }
}
