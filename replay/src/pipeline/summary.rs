//! What a replay did, for people and for scripts: the fields of `replay --summary json`.
//!
//! Promises: every input file appears with what became of it; every zero has a reason; every bounded table is listed.
//!
//! Read next: `run.rs`, `docs/CONTRACTS.md`.

use serde::Serialize;

use super::truth::JoinTruth;

/// Counters and digests of a replay; see `docs/CONTRACTS.md`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReplaySummary {
    /// Identity of this replay: its inputs and settings.
    pub run_id: String,
    /// Packets read.
    pub packets: u64,
    /// Bytes of capture read.
    pub bytes: u64,
    /// Packets that could not be decoded, and damaged places of files.
    pub damaged_packets: u64,
    /// Handshakes seen.
    pub tls_handshakes: u64,
    /// Requests read from logs.
    pub http_requests: u64,
    /// Log records that could not be read.
    pub damaged_http_records: u64,
    /// Rows in the database after this replay.
    pub rows: u64,
    /// Requests of this replay joined to a handshake.
    pub matched: u64,
    /// Requests of this replay without one.
    pub http_only: u64,
    /// Handshakes without a request.
    pub tls_only: u64,
    /// Requests that more than one handshake could have carried.
    pub ambiguous: u64,
    /// Rows that were stored before.
    pub duplicates_skipped: u64,
    /// Sessions in the database.
    pub sessions: u64,
    /// Sessions at or above their threshold.
    pub anomalies: u64,
    /// Digest over all rows of the database.
    pub rows_digest: String,
    /// Digest over the feature table.
    pub features_digest: String,
    /// Digest over the scores; empty with `--no-score`.
    pub scores_digest: String,
    /// Wall time.
    pub elapsed_secs: f64,
    /// Rows added by this replay.
    pub rows_added: u64,
    /// How often the join of the logs was right, as far as a key log shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join_truth: Option<JoinTruth>,
    /// Requests by how they were joined.
    pub match_kinds: std::collections::BTreeMap<String, u64>,
    /// What became of each file.
    pub files: Vec<FileSummary>,
    /// Every bounded table.
    pub policies: Vec<PolicySummary>,
    /// Sentences that explain zeros, skips and damage.
    pub notes: Vec<String>,
}

/// One input file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FileSummary {
    /// Name without folder.
    pub name: String,
    /// `capture` or `http_log`.
    pub kind: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Size on disk.
    pub bytes: u64,
    /// Packets or log records.
    pub records: u64,
    /// Of those, unreadable.
    pub damaged: u64,
    /// Time of its earliest packet or request, nanoseconds since 1970 by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ns: Option<i64>,
    /// Time of its latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ns: Option<i64>,
    /// The log's format.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub format: String,
    /// Log clock minus capture clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skew_ns: Option<i64>,
    /// Pairs of handshake and request that the skew was estimated from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skew_support: Option<u64>,
}

/// One bounded table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PolicySummary {
    /// Name, as in `docs/LIMITS.md` or `docs/JOIN.md`.
    pub name: String,
    /// Its bound.
    pub limit: u64,
    /// The most it held.
    pub peak: u64,
    /// How often the bound acted.
    pub evictions: u64,
    /// What happens at the bound.
    pub policy: String,
}
