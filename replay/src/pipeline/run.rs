//! The stages put together: two readers, the join between them, the row maker and the writer behind it.
//!
//! Promises: the stream whose time lags is read first, so that memory stays bounded however the inputs overlap; the skew of each
//! log is estimated from its first requests before anything is joined.
//!
//! Read next: `network.rs`, `http.rs`, `rows.rs`, `tell.rs`, `../store/filling.rs` (transactions), `ja4_join::correlate`.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use ja4_event::NetworkEvent;
use ja4_join::correlate::{
    Correlator, CorrelatorConfig, CorrelatorStats, HandshakeTime, RequestTime, SkewEstimate, SourceId, estimate_skew,
};
use ja4_join::enrich::Enricher;

use super::http::{self, SourcedRequest};
use super::network::{self, Requests};
use super::plan::{self, Input, ReplayPlan, Skew};
use super::rows::{self, Decided};
use super::summary::{PolicySummary, ReplaySummary};
use super::tell::{self, Outcome};
use super::truth::{self, Claims};
use super::{Batch, Progress, QUEUE_BATCHES, QUEUE_CHUNKS};
use crate::ReplayError;
use crate::store::{self, InputRecord, InputState, Store};

/// Events of each stream that the skew is estimated from.
const SKEW_EVENTS: usize = 20_000;

/// Reads, joins and stores what `plan` names.
///
/// # Errors
/// A file that cannot be read at all, a log in an unknown format, a store that refuses.
pub fn replay(plan: &ReplayPlan, store: &mut dyn Store, progress: &dyn Progress) -> Result<ReplaySummary, ReplayError> {
    let capture_paths = if plan.captures.is_empty() { Vec::new() } else { ja4_capture::source::open::expand(&plan.captures)? };
    let earlier = store.inputs()?;
    let mut summary = ReplaySummary::default();
    let hashes = || Known::read(plan, &capture_paths);
    // Hashes tell what was imported before, and in which order files are read. With one file of each kind and nothing imported,
    // reading and storing go on beside hashing.
    if earlier.is_empty() && capture_paths.len() <= 1 && plan.http_logs.len() <= 1 {
        let unread = |paths: &[PathBuf]| paths.iter().map(|path| Input::unread(path)).collect::<Result<Vec<_>, _>>();
        let (captures, logs) = (unread(&capture_paths)?, unread(&plan.http_logs)?);
        return import(plan, store, progress, summary, (&captures, &logs), &|| hashes().map(Cow::Owned));
    }
    let known = hashes()?;
    let mine = |record: &&InputRecord| record.run_id == known.run_id;
    if !earlier.is_empty() && earlier.iter().filter(mine).count() == known.captures.len() + known.logs.len() {
        if earlier.iter().filter(mine).all(|record| record.state == InputState::Complete) {
            summary.run_id.clone_from(&known.run_id);
            tell::nothing_new(&mut summary, &earlier, &known.run_id);
            return tell::totals(store, summary);
        }
        summary
            .notes
            .push("an earlier replay of these files did not end; it is continued: rows that are stored are skipped".to_owned());
    }
    import(plan, store, progress, summary, (&known.captures, &known.logs), &|| Ok(Cow::Borrowed(&known)))
}

/// The inputs by content, and what this replay of them is called.
#[derive(Clone)]
struct Known {
    captures: Vec<Input>,
    logs: Vec<Input>,
    run_id: String,
}

impl Known {
    fn read(plan: &ReplayPlan, captures: &[PathBuf]) -> Result<Self, ReplayError> {
        let (captures, logs) = rayon::join(|| Input::read_all(captures), || Input::read_all(&plan.http_logs));
        let (captures, logs) = (captures?, logs?);
        let run_id = plan::run_id(plan, &captures, &logs)?;
        Ok(Self { captures, logs, run_id })
    }
}

/// Reads the inputs and stores their rows; `known` says what they are.
fn import<'k>(
    plan: &ReplayPlan,
    store: &mut dyn Store,
    progress: &dyn Progress,
    mut summary: ReplaySummary,
    (captures, logs): (&[Input], &[Input]),
    known: &(dyn Fn() -> Result<Cow<'k, Known>, ReplayError> + Sync),
) -> Result<ReplaySummary, ReplayError> {
    let opened = http::open(logs, &plan.http_format)?;
    let enricher = match &plan.reference {
        Some(folder) => Enricher::load(folder)?,
        None => Enricher::embedded()?,
    };
    store.importing(true)?;
    let outcome = Stages { plan, captures, logs, progress, known }.run(store, opened, enricher);
    store.importing(false)?;
    let (outcome, known) = outcome?;
    summary.run_id.clone_from(&known.run_id);
    outcome.tell(&mut summary, &known.captures, &known.logs);
    record(store, &known, InputState::Complete, &summary)?;
    tell::totals(store, summary)
}

struct Stages<'a, 'k> {
    plan: &'a ReplayPlan,
    captures: &'a [Input],
    logs: &'a [Input],
    progress: &'a dyn Progress,
    known: &'a (dyn Fn() -> Result<Cow<'k, Known>, ReplayError> + Sync),
}

impl<'k> Stages<'_, 'k> {
    fn run(
        &self,
        store: &mut dyn Store,
        opened: Vec<http::OpenLog>,
        mut enricher: Enricher,
    ) -> Result<(Outcome, Cow<'k, Known>), ReplayError> {
        let sources = http::named_headers(&opened);
        let (net_read, http_read) = (AtomicU64::new(0), AtomicU64::new(0));
        let (net_out, net_in) = sync_channel(QUEUE_BATCHES);
        let (http_out, http_in) = sync_channel(QUEUE_BATCHES);
        let from_capture = self.logs.is_empty();
        let shown = match (from_capture, &self.plan.keylog) {
            (true, _) => Requests::Input(http_out.clone()),
            (false, Some(_)) => Requests::Truth,
            (false, None) => Requests::Unread,
        };
        let log_out = (!from_capture).then_some(http_out);
        let mut claims = matches!(shown, Requests::Truth).then(Claims::default);
        let (decided_out, decided_in) = sync_channel(QUEUE_BATCHES);
        let (chunks_out, chunks_in) = sync_channel(QUEUE_CHUNKS);
        let paths: Vec<_> = self.captures.iter().map(|input| input.path.clone()).collect();
        let lateness_ns = self.plan.lateness_ns;
        let options = ja4_capture::Options {
            threads: self.plan.threads,
            keylog: self.plan.keylog.clone(),
            ..ja4_capture::Options::default()
        };
        let beside = store.sibling()?;
        thread::scope(|scope| {
            let network = scope.spawn(|| network::read(&paths, &options, shown, &net_read, &{ net_out }));
            let http = scope.spawn(|| log_out.map_or(Ok(Vec::new()), |out| http::read(opened, lateness_ns, &http_read, &out)));
            let rows = scope.spawn(|| rows::make(&mut enricher, &sources, claims.as_mut(), &{ decided_in }, &{ chunks_out }));
            // Rows that are stored before their inputs are on record would be found by their keys, should this replay not end.
            let known = scope.spawn(move || {
                let known = (self.known)()?;
                record(&*beside, &known, InputState::Started, &ReplaySummary::default())?;
                Ok(known)
            });
            let writer = scope.spawn(|| {
                let chunks = chunks_in;
                // The other stages keep the processors busy: a second storing thread brings no time, and costs a row group of memory.
                store::one_by_one(store, &mut chunks.iter())
            });
            let total = self.captures.iter().chain(self.logs).map(|input| input.bytes).sum();
            let tick = || self.progress.bytes(net_read.load(Ordering::Relaxed) + http_read.load(Ordering::Relaxed), total);
            let joined = self.join(net_in, http_in, decided_out, &tick);
            // The writer's error is the cause when the join could not hand over.
            let stored = ended(writer, "writer")?;
            ended(rows, "row maker")?;
            let (stats, policies, skews, applied_ns) = joined?;
            let (network, http) = (ended(network, "capture reader")?, ended(http, "log reader")?);
            let known = ended(known, "reader of hashes")?;
            Ok((network, http, skews, applied_ns, stats, policies, stored, known))
        })
        .map(|(captured, http, skews, applied_ns, stats, policies, stored, known)| {
            let truth = captured.truth.zip(claims).map(|(truth, claims)| truth::compare(&truth, claims));
            let (network, shown) = (captured.summary, captured.requests);
            (Outcome { network, shown, truth, http, skews, applied_ns, stats, policies, stored }, known)
        })
    }

    #[allow(clippy::type_complexity, reason = "used once, one line above")]
    fn join(
        &self,
        network: Receiver<Batch<NetworkEvent>>,
        http: Receiver<Batch<SourcedRequest>>,
        out: SyncSender<Decided>,
        tick: &dyn Fn(),
    ) -> Result<(CorrelatorStats, Vec<PolicySummary>, Vec<Option<SkewEstimate>>, Vec<i64>), ReplayError> {
        let config = CorrelatorConfig {
            window_ns: self.plan.window_ns,
            keepalive_max_ns: self.plan.keepalive_ns,
            ..CorrelatorConfig::default()
        };
        let mut network = Stream::new(network);
        let mut http = Stream::new(http);
        // A capture's own requests come with its own clock, and from the thread that brings the handshakes.
        if !self.logs.is_empty() {
            network.buffer(SKEW_EVENTS);
            http.buffer(SKEW_EVENTS);
        }
        let skews = self.skews(&network, &http);
        let applied_ns: Vec<i64> = skews.iter().map(|estimate| self.applied(*estimate)).collect();
        let mut correlator = Correlator::new(config.clone());
        for (number, skew_ns) in applied_ns.iter().enumerate() {
            correlator.set_skew(SourceId(u32::try_from(number).unwrap_or(u32::MAX)), *skew_ns);
        }
        // Watermarks are on the capture's clock; a log that runs ahead reaches them later.
        let ahead_ns = applied_ns.iter().copied().max().unwrap_or_default().max(0);
        let mut wait = self.progress.waiter();
        loop {
            let http_reached = on_capture_clock(http.reached_ns, ahead_ns);
            let reached_ns = network.reached_ns.min(http_reached);
            if reached_ns == i64::MAX {
                break;
            }
            if network.reached_ns <= http_reached {
                network.take(|event| correlator.network(event));
            } else {
                http.take(|(event, source)| correlator.http(event, source));
            }
            tick();
            if self.progress.stop() {
                return Err(ReplayError::Cancelled);
            }
            let reached_ns = network.reached_ns.min(on_capture_clock(http.reached_ns, ahead_ns));
            if reached_ns != i64::MIN && reached_ns != i64::MAX {
                wait(reached_ns);
            }
            // No event before `reached_ns` follows, so none at or before `watermark − window`.
            correlator.advance(reached_ns.saturating_add(config.window_ns).saturating_sub(1));
            if !send(&mut correlator, &out) {
                break;
            }
        }
        correlator.finish();
        send(&mut correlator, &out);
        let policies = correlator.policies().iter().map(tell::policy).collect();
        Ok((correlator.stats(), policies, skews, applied_ns))
    }

    fn skews(&self, network: &Stream<NetworkEvent>, http: &Stream<SourcedRequest>) -> Vec<Option<SkewEstimate>> {
        let handshakes: Vec<HandshakeTime> = network.waiting().filter_map(HandshakeTime::of).collect();
        (0..self.logs.len())
            .map(|number| {
                let source = SourceId(u32::try_from(number).unwrap_or(u32::MAX));
                let mine = http.waiting().filter(|(_, from)| *from == source);
                let requests: Vec<RequestTime> = mine.filter_map(|(event, _)| RequestTime::of(event)).collect();
                matches!(self.plan.skew, Skew::Auto).then(|| estimate_skew(&handshakes, &requests))
            })
            .collect()
    }

    fn applied(&self, estimate: Option<SkewEstimate>) -> i64 {
        match self.plan.skew {
            Skew::Auto => estimate.map_or(0, |estimate| estimate.skew_ns),
            Skew::Fixed(skew_ns) => skew_ns,
        }
    }
}

/// A log's watermark on the capture's clock; the end of time stays the end of time, whatever the skew.
fn on_capture_clock(reached_ns: i64, ahead_ns: i64) -> i64 {
    if reached_ns == i64::MAX { i64::MAX } else { reached_ns.saturating_sub(ahead_ns) }
}

/// One input stream with the batches read ahead of the join.
struct Stream<T> {
    from: Receiver<Batch<T>>,
    ahead: std::collections::VecDeque<Batch<T>>,
    reached_ns: i64,
}

impl<T> Stream<T> {
    fn new(from: Receiver<Batch<T>>) -> Self {
        Self { from, ahead: std::collections::VecDeque::new(), reached_ns: i64::MIN }
    }

    /// Reads ahead until `events` are at hand or the stream ends.
    fn buffer(&mut self, events: usize) {
        let mut held = 0_usize;
        while held < events {
            let Ok(batch) = self.from.recv() else { return };
            held = held.saturating_add(batch.events.len().max(1));
            self.ahead.push_back(batch);
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &T> {
        self.ahead.iter().flat_map(|batch| &batch.events)
    }

    /// Hands the next batch over; at the end the stream has reached the end of time.
    fn take(&mut self, mut each: impl FnMut(T)) {
        let batch = self.ahead.pop_front().or_else(|| self.from.recv().ok());
        let Some(batch) = batch else {
            self.reached_ns = i64::MAX;
            return;
        };
        batch.events.into_iter().for_each(&mut each);
        self.reached_ns = self.reached_ns.max(batch.reached_ns);
    }
}

fn send(correlator: &mut Correlator, out: &SyncSender<Decided>) -> bool {
    let mut decided = Decided::default();
    correlator.take_joined(&mut decided.joined);
    correlator.take_tls_only(&mut decided.tls_only);
    decided.joined.is_empty() && decided.tls_only.is_empty() || out.send(decided).is_ok()
}

fn ended<T>(handle: ScopedJoinHandle<'_, Result<T, ReplayError>>, who: &'static str) -> Result<T, ReplayError> {
    handle.join().unwrap_or(Err(ReplayError::Worker(who)))
}

fn record(store: &dyn Store, known: &Known, state: InputState, summary: &ReplaySummary) -> Result<(), ReplayError> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let one = |(kind, input): (&str, &Input)| {
        let file = summary.files.iter().find(|file| file.sha256 == input.sha256 && file.kind == kind);
        InputRecord {
            content_hash: input.sha256.clone(),
            kind: kind.to_owned(),
            name: input.name(),
            bytes: number(input.bytes),
            records: file.map_or(0, |file| number(file.records)),
            damaged: file.map_or(0, |file| number(file.damaged)),
            state,
            first_ns: file.and_then(|file| file.first_ns).unwrap_or_default(),
            last_ns: file.and_then(|file| file.last_ns).unwrap_or_default(),
            skew_ns: file.and_then(|file| file.skew_ns).unwrap_or_default(),
            run_id: known.run_id.clone(),
            detail: file.map(|file| file.format.clone()).unwrap_or_default(),
        }
    };
    let captures = known.captures.iter().map(|input| ("capture", input));
    let inputs = captures.chain(known.logs.iter().map(|input| ("http_log", input)));
    store.record_inputs(&inputs.map(one).collect::<Vec<_>>())
}
