//! What is told of a replay: counters, what became of each file, a sentence for every zero that a user would wonder about.
//!
//! Promises: all damage is counted, the first places are named; nothing here changes what is stored.
//!
//! Read next: `summary.rs` (the form), `run.rs` (who fills it).

use ja4_capture::Summary as CaptureSummary;
use ja4_join::correlate::{CorrelatorStats, MatchKind, SkewEstimate};

use super::http::LogReport;
use super::plan::Input;
use super::summary::{FileSummary, PolicySummary, ReplaySummary};
use super::truth::JoinTruth;
use crate::ReplayError;
use crate::store::duckdb::sql;
use crate::store::{Appended, InputRecord, Store};

/// Places of damage named in the summary; all are counted.
const NOTED: usize = 20;

/// Everything the stages leave behind.
pub(super) struct Outcome {
    pub(super) network: CaptureSummary,
    /// Requests that came from the capture itself.
    pub(super) shown: u64,
    pub(super) truth: Option<JoinTruth>,
    pub(super) http: Vec<LogReport>,
    pub(super) skews: Vec<Option<SkewEstimate>>,
    pub(super) applied_ns: Vec<i64>,
    pub(super) stats: CorrelatorStats,
    pub(super) policies: Vec<PolicySummary>,
    pub(super) stored: Appended,
}

impl Outcome {
    /// Fills `summary`; `captures` and `logs` are the inputs in the order in which they were read.
    pub(super) fn tell(self, summary: &mut ReplaySummary, captures: &[Input], logs: &[Input]) {
        let counters = self.network.counters;
        summary.packets = counters.packets;
        summary.bytes = counters.bytes;
        summary.damaged_packets = counters.damaged_packets.saturating_add(self.network.damage_count);
        summary.tls_handshakes = counters.tls_handshakes;
        summary.http_requests = self.stats.requests.saturating_sub(self.stats.duplicate_requests);
        summary.tls_only = self.stats.tls_only;
        summary.rows_added = self.stored.added;
        summary.duplicates_skipped = self.stored.skipped.saturating_add(self.stats.duplicate_requests);
        for (kind, requests) in MatchKind::ALL.iter().zip(self.stats.by_kind) {
            summary.match_kinds.insert(kind.as_str().to_owned(), requests);
            match kind {
                MatchKind::NoHandshake | MatchKind::NoPort => summary.http_only += requests,
                MatchKind::Ambiguous => {
                    summary.ambiguous += requests;
                    summary.matched += requests;
                }
                _ => summary.matched += requests,
            }
        }
        self.tell_files(summary, captures, logs);
        self.tell_shown(summary);
        summary.policies = self.network.policies.iter().map(capture_policy).chain(self.policies).collect();
        reasons(summary);
    }

    /// What the capture itself showed of the requests.
    fn tell_shown(&self, summary: &mut ReplaySummary) {
        if self.shown > 0 {
            summary.notes.push(format!(
                "no HTTP log was given: {} requests were read from the capture itself (sent in clear text, or opened by a key log); \
                 answers and times of processing are unknown",
                self.shown
            ));
        }
        if self.truth.as_ref().is_some_and(|truth| truth.decrypted == 0) {
            summary.notes.push(String::from(
                "the key log opened no request: is it of these connections, and does the capture hold their handshakes?",
            ));
        }
        summary.join_truth.clone_from(&self.truth);
    }

    fn tell_files(&self, summary: &mut ReplaySummary, captures: &[Input], logs: &[Input]) {
        for input in captures {
            let read = self.network.captures.iter().find(|read| read.path == input.path).cloned().unwrap_or_default();
            summary.files.push(FileSummary {
                kind: "capture".to_owned(),
                records: read.packets,
                damaged: read.damaged,
                first_ns: read.first_ns,
                last_ns: read.last_ns,
                ..file_summary(input)
            });
        }
        for ((input, report), (skew, applied_ns)) in logs.iter().zip(&self.http).zip(self.skews.iter().zip(&self.applied_ns)) {
            summary.damaged_http_records = summary.damaged_http_records.saturating_add(report.damaged);
            summary.files.push(FileSummary {
                kind: "http_log".to_owned(),
                records: report.records,
                damaged: report.damaged,
                first_ns: report.times_ns.map(|(first_ns, _)| first_ns),
                last_ns: report.times_ns.map(|(_, last_ns)| last_ns),
                format: report.format.clone(),
                skew_ns: Some(*applied_ns),
                skew_support: skew.map(|estimate| u64::try_from(estimate.support).unwrap_or(u64::MAX)),
                ..file_summary(input)
            });
            summary.notes.extend(report.first.iter().map(|damage| format!("damaged log record: {damage}")));
            summary.notes.extend(report.notes.iter().map(|note| format!("{}: {note}", input.name())));
        }
        summary.notes.extend(self.network.failed_files.iter().cloned());
        summary.notes.extend(self.network.damage.iter().take(NOTED).map(|damage| format!("damaged capture: {damage}")));
    }
}

fn file_summary(input: &Input) -> FileSummary {
    FileSummary { name: input.name(), sha256: input.sha256.clone(), bytes: input.bytes, ..FileSummary::default() }
}

/// Every zero that a user would wonder about gets its sentence.
fn reasons(summary: &mut ReplaySummary) {
    let captured = summary.files.iter().any(|file| file.kind == "capture");
    let logged = summary.files.iter().any(|file| file.kind == "http_log");
    let mut note = |text: &str| summary.notes.push(text.to_owned());
    if captured && summary.packets == 0 {
        note("the captures hold no packets");
    } else if captured && summary.tls_handshakes == 0 {
        note(
            "no handshake was found: the traffic is not TLS, QUIC or clear HTTP, or the capture began after the connections did",
        );
    }
    if !logged && summary.http_requests == 0 {
        note(
            "no HTTP log was given, so there are no requests to join (see --http-log, or --keylog to read them from the capture)",
        );
    } else if logged && summary.http_requests == 0 {
        note("the HTTP logs hold no request that could be read");
    } else if captured && summary.tls_handshakes > 0 && summary.matched == 0 {
        note(
            "no request was joined: do log and capture cover the same time, and does the log carry the client port (%{remote}p)?",
        );
    }
}

/// What a replay of files tells that were imported before.
pub(super) fn nothing_new(summary: &mut ReplaySummary, earlier: &[InputRecord], run_id: &str) {
    for record in earlier.iter().filter(|record| record.run_id == run_id) {
        summary.duplicates_skipped = summary.duplicates_skipped.saturating_add(match record.kind.as_str() {
            "http_log" => u64::try_from(record.records).unwrap_or_default(),
            _ => 0,
        });
    }
    summary.notes.push("nothing new: these files were imported before with the same settings; not one row was added".to_owned());
}

pub(super) fn policy(report: &ja4_join::correlate::PolicyReport) -> PolicySummary {
    PolicySummary {
        name: report.name.to_owned(),
        limit: report.limit,
        peak: report.peak,
        evictions: report.evictions,
        policy: report.policy.to_owned(),
    }
}

fn capture_policy(report: &ja4_capture::PolicyReport) -> PolicySummary {
    PolicySummary {
        name: report.table.clone(),
        limit: report.limit,
        peak: report.peak,
        evictions: report.evictions,
        policy: report.policy.clone(),
    }
}

/// With what the store holds in all.
pub(super) fn totals(store: &dyn Store, mut summary: ReplaySummary) -> Result<ReplaySummary, ReplayError> {
    let counts = store.query(sql::TOTALS)?;
    let value = |column: usize| {
        let array = counts.first().and_then(|batch| batch.columns().get(column).cloned());
        let ints = array.and_then(|array| {
            use duckdb::arrow::array::{Array as _, Int64Array};
            array.as_any().downcast_ref::<Int64Array>().filter(|ints| !ints.is_empty()).map(|ints| ints.value(0))
        });
        u64::try_from(ints.unwrap_or_default()).unwrap_or_default()
    };
    summary.rows = value(0);
    summary.sessions = value(2);
    summary.anomalies = value(3);
    Ok(summary)
}
