//! What analysts decide about sessions and addresses: stored, audited, exported as ground truth, held against the model.
//!
//! Promises: nothing is ever changed or removed, the newest row of a target counts; a decision names a session that was scored
//! or an address; each one leaves a line in `audit_logs`.
//!
//! Read next: `sql/shared/queries/feedback_*.sql`; `crate::labels` learns from these rows.

use std::fmt::Write as _;
use std::net::IpAddr;

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{Statement, Store, TableName};

use crate::audit::{self, Entry};
use crate::error::LabError;
use crate::render;
use crate::rows::{Columns, Rows, short_id};

const SOC_FEEDBACK: TableName = TableName { schema: "ja4_processing", table: "soc_feedback" };
const SESSION: Statement = Statement::shared(include_str!("../../../sql/shared/queries/feedback_session.sql"));
const LIST: Statement = Statement::shared(include_str!("../../../sql/shared/queries/feedback_list.sql"));
const TRUTH: Statement = Statement::shared(include_str!("../../../sql/shared/queries/feedback_truth.sql"));

/// What a decision is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One scored session, by its id.
    Session(String),
    /// Every session of an address.
    Address(IpAddr),
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A program that is not welcome.
    Bot,
    /// A person.
    Human,
    /// A program that is welcome: a search engine, a monitor.
    GoodBot,
    /// Looked at and not decided.
    Unsure,
    /// An earlier decision no longer holds.
    Withdrawn,
}

impl Verdict {
    /// The word stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Human => "human",
            Self::GoodBot => "good-bot",
            Self::Unsure => "unsure",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The label learned from: 1 bot, 0 legitimate, -1 none.
    #[must_use]
    pub fn label(self) -> i64 {
        match self {
            Self::Bot => 1,
            Self::Human | Self::GoodBot => 0,
            Self::Unsure | Self::Withdrawn => -1,
        }
    }
}

/// A decision to be stored.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// About what.
    pub target: Target,
    /// What.
    pub verdict: Verdict,
    /// Why, in the analyst's words; at most 2,000 characters.
    pub note: &'a str,
    /// Who.
    pub analyst: &'a str,
    /// When: the driver's clock, ns since 1970.
    pub ts_ns: i64,
}

/// Stores a decision; gives its id.
///
/// # Errors
/// No session of that id was scored, a name or note that is none, or the engine's refusal.
pub fn add(store: &dyn Store, decision: &Decision<'_>) -> Result<String, LabError> {
    audit::check_name("--analyst", decision.analyst)?;
    if decision.note.chars().count() > 2_000 {
        return Err(LabError::Ask("--note: write at most 2000 characters".to_owned()));
    }
    let (kind, id, key) = match &decision.target {
        Target::Session(id) => ("session", id.as_str(), session(store, id)?),
        Target::Address(address) => ("ip", "", [address.to_string(), String::new(), String::new(), String::new()]),
    };
    let [src_ip, ja4, host, user_agent] = &key;
    let (verdict, ts) = (decision.verdict.as_str(), decision.ts_ns.to_string());
    let feedback_id = short_id([kind, id, src_ip, verdict, decision.analyst, decision.note, &ts]);
    let batch = Columns::new()
        .int("ts_ns", [decision.ts_ns])
        .text("feedback_id", [&feedback_id])
        .text("target_kind", [kind])
        .text("session_id", [id])
        .text("src_ip", [src_ip])
        .text("ja4", [ja4])
        .text("host", [host])
        .text("user_agent", [user_agent])
        .int("label", [decision.verdict.label()])
        .text("verdict", [verdict])
        .text("note", [decision.note])
        .text("analyst", [decision.analyst])
        .batch()?;
    store.insert(SOC_FEEDBACK, batch)?;
    let target = if id.is_empty() { src_ip.as_str() } else { id };
    let entry = Entry {
        ts_ns: decision.ts_ns,
        actor: decision.analyst,
        action: "feedback add",
        target,
        outcome: "done",
        detail: verdict,
    };
    audit::record(store, &entry)?;
    Ok(feedback_id)
}

/// Address, JA4, host and User-Agent of a scored session.
fn session(store: &dyn Store, id: &str) -> Result<[String; 4], LabError> {
    let rows = Rows::ask(store, &SESSION, &[id])?;
    let column = |name: &str| Ok::<_, LabError>(rows.text(name)?.into_iter().next());
    match (column("src_ip")?, column("ja4")?, column("host")?, column("user_agent")?) {
        (Some(src_ip), Some(ja4), Some(host), Some(user_agent)) => Ok([src_ip, ja4, host, user_agent]),
        _ => Err(LabError::Ask(format!("feedback: no scored session has the id {id:?}; `ja4-lab sessions` lists them"))),
    }
}

/// Every decision, newest first.
///
/// # Errors
/// The engine's refusal.
pub fn list(store: &dyn Store) -> Result<Vec<RecordBatch>, LabError> {
    Ok(store.ask(&LIST, &[])?)
}

/// One scored session that a standing decision covers.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// Session.
    pub session_id: String,
    /// Its hour, ms since 1970.
    pub win_ms: i64,
    /// Its address.
    pub src_ip: String,
    /// Its JA4.
    pub ja4: String,
    /// Its host.
    pub host: String,
    /// First and last request, ns since 1970.
    pub span_ns: (i64, i64),
    /// True for a bot.
    pub bot: bool,
    /// The word decided.
    pub verdict: String,
    /// By whom.
    pub analyst: String,
    /// The model's score and threshold.
    pub score: (f64, f64),
    /// Whether the model calls it anomalous.
    pub anomalous: bool,
}

impl Truth {
    /// How wrong the model was: distance of the score from the threshold where verdict and decision differ, else `None`.
    #[must_use]
    pub fn disagreement(&self) -> Option<f64> {
        (self.bot != self.anomalous).then(|| (self.score.0 - self.score.1).abs())
    }
}

/// Every scored session that a standing decision covers, in key order.
///
/// # Errors
/// The engine's refusal.
pub fn truth(store: &dyn Store) -> Result<Vec<Truth>, LabError> {
    let rows = Rows::ask(store, &TRUTH, &[])?;
    let texts = |name: &str| rows.text(name);
    let (ids, ips, ja4s, hosts) = (texts("session_id")?, texts("src_ip")?, texts("ja4")?, texts("host")?);
    let (verdicts, analysts) = (texts("verdict")?, texts("analyst")?);
    let (hours, firsts, lasts) = (rows.int("win_ms")?, rows.int("first_ns")?, rows.int("last_ns")?);
    let (labels, anomalies) = (rows.int("label")?, rows.int("anomaly")?);
    let (scores, thresholds) = (rows.float("score")?, rows.float("threshold")?);
    let text = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let int = |column: &[i64], row: usize| column.get(row).copied().unwrap_or_default();
    let float = |column: &[f64], row: usize| column.get(row).copied().unwrap_or_default();
    let one = |row: usize| Truth {
        session_id: text(&ids, row),
        win_ms: int(&hours, row),
        src_ip: text(&ips, row),
        ja4: text(&ja4s, row),
        host: text(&hosts, row),
        span_ns: (int(&firsts, row), int(&lasts, row)),
        bot: int(&labels, row) == 1,
        verdict: text(&verdicts, row),
        analyst: text(&analysts, row),
        score: (float(&scores, row), float(&thresholds, row)),
        anomalous: int(&anomalies, row) == 1,
    };
    Ok((0..rows.len()).map(one).collect())
}

/// Sessions where model and analyst differ, most surely wrong first.
///
/// # Errors
/// The engine's refusal.
pub fn review(store: &dyn Store) -> Result<Vec<Truth>, LabError> {
    let mut found: Vec<(f64, Truth)> =
        truth(store)?.into_iter().filter_map(|truth| truth.disagreement().map(|by| (by, truth))).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.session_id.cmp(&b.1.session_id)));
    Ok(found.into_iter().map(|(_, truth)| truth).collect())
}

/// Ground truth as CSV with a header line.
#[must_use]
pub fn csv(truths: &[Truth]) -> String {
    let mut text = String::from("session_id,win_ms,src_ip,ja4,host,first_ns,last_ns,label,class,analyst\n");
    for truth in truths {
        let cells = [&truth.session_id, &truth.src_ip, &truth.ja4, &truth.host, &truth.verdict, &truth.analyst];
        let [id, ip, ja4, host, verdict, analyst] = cells.map(|cell| render::csv_cell(cell));
        let (first, last) = truth.span_ns;
        let label = i64::from(truth.bot);
        let _ = writeln!(text, "{id},{},{ip},{ja4},{host},{first},{last},{label},{verdict},{analyst}", truth.win_ms);
    }
    text
}

/// The rows of [`review`] as a batch for printing.
///
/// # Errors
/// None that rows of one list can cause.
pub fn review_batch(truths: &[Truth]) -> Result<RecordBatch, LabError> {
    Columns::new()
        .text("session_id", truths.iter().map(|truth| &truth.session_id))
        .text("src_ip", truths.iter().map(|truth| &truth.src_ip))
        .text("host", truths.iter().map(|truth| &truth.host))
        .text("decided", truths.iter().map(|truth| &truth.verdict))
        .text("model", truths.iter().map(|truth| if truth.anomalous { "anomalous" } else { "ordinary" }))
        .float("score", truths.iter().map(|truth| truth.score.0))
        .float("threshold", truths.iter().map(|truth| truth.score.1))
        .text("analyst", truths.iter().map(|truth| &truth.analyst))
        .batch()
}
