//! What is new, gone or changed between two stores, or two spans of one: fingerprints, claims, hosts, networks and more.
//!
//! Promises: nothing is written; values are weighed by addresses, because one client can send any number of requests; the order is total,
//! strongest evidence first, so two runs print the same; both engines give the same answer, and the two stores need not be on the same one.
//!
//! Read next: `weigh.rs` (what counts as a change), `crate::drift` (the same question about features and models).

mod weigh;

use std::collections::BTreeMap;

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{Statement, Store};

pub use self::weigh::{Change, Direction, MAX_BY_CHANCE};
use crate::error::LabError;
use crate::rows::{Columns, Rows};

const VALUES: Statement = Statement::shared(include_str!("../../../sql/shared/queries/compare_values.sql"));
const TOTALS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/compare_totals.sql"));
/// Where the column's name stands in [`VALUES`].
const COLUMN_MARK: &str = "/*column*/ja4";
const HOUR_NS: i64 = 3_600_000_000_000;
const WEEK_NS: i64 = 7 * 24 * HOUR_NS;

/// A span of time: ns since 1970, end excluded.
pub type Span = (i64, i64);
/// All of a store.
pub const ALWAYS: Span = (i64::MIN / 2, i64::MAX / 2);

/// What of a request is compared: the name on the command line and the column of `http_logs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aspect {
    /// For people.
    pub name: &'static str,
    column: &'static str,
}

/// All that can be compared, in the order of reports.
pub const ASPECTS: &[Aspect] = &[
    Aspect { name: "ja4", column: "ja4" },
    Aspect { name: "ja4t", column: "ja4t" },
    Aspect { name: "h2", column: "h2" },
    Aspect { name: "headers", column: "header_order" },
    Aspect { name: "claims", column: "ua_family" },
    Aspect { name: "user-agent", column: "user_agent" },
    Aspect { name: "network", column: "as_name" },
    Aspect { name: "country", column: "country" },
    Aspect { name: "host", column: "host" },
    Aspect { name: "protocol", column: "http_version" },
    Aspect { name: "method", column: "method" },
    Aspect { name: "status", column: "status" },
    Aspect { name: "join", column: "match_kind" },
];

/// What is stored of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Requests.
    pub requests: i64,
    /// Addresses they came from.
    pub addresses: i64,
    /// Addresses with an anomalous session; 0 where nothing is scored.
    pub anomalous: i64,
    /// Different JA4 fingerprints.
    pub ja4s: i64,
    /// Different hosts.
    pub hosts: i64,
    /// Time of the first request, ns since 1970; -1 without any.
    pub first_ns: i64,
    /// Time of the last one, likewise.
    pub last_ns: i64,
}

/// One value on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shown {
    /// Requests that show it.
    pub requests: i64,
    /// Addresses that show it.
    pub addresses: i64,
    /// Of these, with an anomalous session.
    pub anomalous: i64,
    /// When it was first seen, ns since 1970.
    pub first_ns: i64,
    /// When it was last seen.
    pub last_ns: i64,
}

/// Two sides and everything that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What there was.
    pub then: Totals,
    /// What there is.
    pub now: Totals,
    /// Every value of every aspect asked for, strongest evidence of a change first.
    pub changes: Vec<Change>,
    /// Sentences: which aspects could not be compared, because one side does not know them.
    pub notes: Vec<String>,
}

/// One side: a store and the span of it that counts.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Where to ask.
    pub store: &'a dyn Store,
    /// Which requests.
    pub span: Span,
}

/// The newest hour of `store` and the seven days before it: then, now.
///
/// # Errors
/// Nothing is stored, or nothing before the newest hour; the engine's refusal.
pub fn newest(store: &dyn Store) -> Result<(Span, Span), LabError> {
    let all = Side { store, span: ALWAYS }.totals()?;
    let from = all.last_ns.saturating_sub(all.last_ns.rem_euclid(HOUR_NS));
    if all.requests > 0 && all.first_ns >= from {
        let text = "compare: all that is stored lies within one hour, so there is nothing to compare it with; \
                    name --reference and --now, or another database with --against";
        return Err(LabError::Ask(text.to_owned()));
    }
    Ok(((from.saturating_sub(WEEK_NS), from), (from, from.saturating_add(HOUR_NS))))
}

/// Compares two sides in these aspects.
///
/// # Errors
/// A side without requests, or the engine's refusal.
pub fn run(then: Side<'_>, now: Side<'_>, aspects: &[Aspect]) -> Result<Comparison, LabError> {
    let (totals_then, totals_now) = (then.totals()?, now.totals()?);
    for (side, totals, option) in [(then, totals_then, "--reference"), (now, totals_now, "--now")] {
        if totals.requests == 0 {
            return Err(LabError::Ask(side.why_empty(option)?));
        }
    }
    let (mut changes, mut notes) = (Vec::new(), Vec::new());
    for aspect in aspects {
        let (values_then, values_now) = (then.values(*aspect)?, now.values(*aspect)?);
        if let Some(note) = aspect.unknown(&values_then, &values_now) {
            notes.push(note);
            continue;
        }
        let mut sides: BTreeMap<String, (Shown, Shown, String)> = BTreeMap::new();
        for (value, shown, known) in values_then {
            sides.insert(value, (shown, Shown::default(), known));
        }
        for (value, shown, known) in values_now {
            let both = sides.entry(value).or_default();
            (both.1, both.2) = (shown, known);
        }
        for (value, (before, after, known)) in sides {
            let known = if aspect.column == "ja4" { known } else { String::new() };
            changes.push(Change::weigh(aspect.name, value, known, (before, totals_then), (after, totals_now)));
        }
    }
    weigh::rank(&mut changes);
    Ok(Comparison { then: totals_then, now: totals_now, changes, notes })
}

/// One value: itself, who shows it, what lists know of it.
type Value = (String, Shown, String);

impl Aspect {
    /// Why it cannot be compared: a log without the columns it needs would look like a world that changed.
    fn unknown(self, then: &[Value], now: &[Value]) -> Option<String> {
        let known = |values: &[Value]| values.iter().any(|(value, ..)| !value.is_empty());
        let side = match (known(then), known(now)) {
            (true, true) => return None,
            (false, true) => "then",
            (true, false) => "now",
            (false, false) => "on either side",
        };
        Some(format!("{} is not compared: no request tells it {side}", self.name))
    }
}

impl Side<'_> {
    fn bounds(&self) -> [String; 2] {
        [self.span.0.to_string(), self.span.1.to_string()]
    }

    fn totals(&self) -> Result<Totals, LabError> {
        let [from, to] = self.bounds();
        let rows = Rows::ask(self.store, &TOTALS, &[&from, &to])?;
        let one = |name: &str| Ok::<_, LabError>(rows.int(name)?.first().copied().unwrap_or_default());
        Ok(Totals {
            requests: one("requests_n")?,
            addresses: one("addresses_n")?,
            anomalous: one("anomalous_n")?,
            ja4s: one("ja4s_n")?,
            hosts: one("hosts_n")?,
            first_ns: one("lo_ns")?,
            last_ns: one("hi_ns")?,
        })
    }

    /// Each value of `aspect`, who shows it, and what lists know of it.
    fn values(&self, aspect: Aspect) -> Result<Vec<Value>, LabError> {
        let [from, to] = self.bounds();
        let text = VALUES.text(self.store.engine()).replace(COLUMN_MARK, aspect.column);
        let rows = Rows::ask(self.store, &Statement::shared(&text), &[&from, &to])?;
        let ints = |name: &str| rows.int(name).map(Vec::into_iter);
        let numbers =
            ints("requests_n")?.zip(ints("addresses_n")?).zip(ints("anomalous_n")?.zip(ints("lo_ns")?.zip(ints("hi_ns")?)));
        let shown = numbers.map(|((requests, addresses), (anomalous, (first_ns, last_ns)))| Shown {
            requests,
            addresses,
            anomalous,
            first_ns,
            last_ns,
        });
        let texts = rows.text("value_v")?.into_iter().zip(rows.text("known_v")?);
        Ok(texts.zip(shown).map(|((value, known), shown)| (value, shown, known)).collect())
    }

    /// Why there is nothing to compare, as a sentence.
    fn why_empty(&self, option: &str) -> Result<String, LabError> {
        let label = self.store.label();
        let all = Side { span: ALWAYS, ..*self }.totals()?;
        if all.requests == 0 {
            return Ok(format!(
                "compare: {label} holds no requests: import some with `ja4-lab replay CAPTURE --http-log LOG --db DB`"
            ));
        }
        let hint = format!("it holds requests from {} to {}", time(all.first_ns), time(all.last_ns));
        Ok(format!(
            "compare: {label} holds no requests from {} to {}, the span of {option}; {hint}",
            time(self.span.0),
            time(self.span.1)
        ))
    }
}

/// Changes as rows, a column for each figure.
///
/// # Errors
/// None that can happen: all columns are of one length.
pub fn table(changes: &[&Change]) -> Result<RecordBatch, LabError> {
    let each = || changes.iter();
    Columns::new()
        .text("change", each().map(|change| change.direction.as_str()))
        .text("kind", each().map(|change| change.aspect))
        .text("entity", each().map(|change| &change.value))
        .text("known_as", each().map(|change| &change.known))
        .int("addresses_then", each().map(|change| change.then.addresses))
        .int("addresses_now", each().map(|change| change.now.addresses))
        .float("share_then", each().map(|change| change.share_then))
        .float("share_now", each().map(|change| change.share_now))
        .int("requests_then", each().map(|change| change.then.requests))
        .int("requests_now", each().map(|change| change.now.requests))
        .int("anomalous_then", each().map(|change| change.then.anomalous))
        .int("anomalous_now", each().map(|change| change.now.anomalous))
        .int("first_ns", each().map(|change| change.seen_ns().0))
        .int("last_ns", each().map(|change| change.seen_ns().1))
        .float("by_chance", each().map(|change| change.by_chance))
        .batch()
}

/// An instant in words; the ends of all time have no date.
#[must_use]
pub fn time(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| ns.to_string(), |time| time.to_string())
}
