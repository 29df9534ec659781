//! One English line per session, and the figures behind it: what differs from the people on this site, most telling first.
//!
//! Promises: every number in the line is a stored feature of that session or of the baseline; a contradiction between claim and
//! fact comes before any statistic; a session without an outstanding value says so.
//!
//! Read next: `mod.rs`, `baseline.rs`.

use std::cmp::Ordering;
use std::fmt::Write as _;

use ja4_models::Matrix;
use rayon::prelude::*;
use serde::Serialize;

use crate::catalogue::Feature;

/// How many features a line names.
const NAMED: usize = 3;

/// The span of a feature among baseline sessions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Span {
    /// 5 % of baseline sessions lie below.
    pub low: f64,
    /// Half of them.
    pub median: f64,
    /// 5 % lie above.
    pub high: f64,
}

/// One feature's part in a verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Part<'a> {
    /// Feature.
    pub feature: &'a str,
    /// Its value in the session told about.
    pub value: f64,
    /// Share of the voices' explanation, 0 to 1.
    pub share: f64,
    /// Its span among baseline sessions.
    pub baseline: Span,
    /// `above`, `below` or `within` that span.
    pub position: &'static str,
    /// Where it would have to be, together with the others that have such a value, for the session to pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_pass_at: Option<f64>,
}

/// Spans of every column over `rows`; a matrix without rows gives zero spans.
#[must_use]
pub fn spans(baseline: &Matrix) -> Vec<Span> {
    (0..baseline.columns())
        .into_par_iter()
        .map(|column| {
            let mut values: Vec<f64> = (0..baseline.rows()).filter_map(|row| baseline.row(row).get(column).copied()).collect();
            values.sort_unstable_by(f64::total_cmp);
            let at = |numerator: usize| values.get(values.len().saturating_sub(1) * numerator / 20).copied().unwrap_or_default();
            Span { low: at(1), median: at(10), high: at(19) }
        })
        .collect()
}

/// The parts of one session, most telling first: outside the baseline's span before inside, then by share. The first `count`, and
/// those with a value at which the session would pass, by the place of the feature.
#[must_use]
pub fn parts<'a>(
    features: &[&'a Feature],
    values: &[f64],
    shares: &[f64],
    spans: &[Span],
    count: usize,
    would_pass_at: impl Fn(usize) -> Option<f64>,
) -> Vec<Part<'a>> {
    let all = features.iter().zip(values).zip(shares.iter().zip(spans)).enumerate();
    let mut all: Vec<Part<'_>> = all
        .map(|(column, ((feature, value), (share, span)))| {
            let (value, share, baseline) = (*value, *share, *span);
            let position = position(value, baseline);
            Part { feature: &feature.name, value, share, baseline, position, would_pass_at: would_pass_at(column) }
        })
        .collect();
    // The first are found without putting all others in order as well.
    if count < all.len() {
        all.select_nth_unstable_by(count, more_telling);
        let behind = all.split_off(count);
        all.extend(behind.into_iter().filter(|part| part.would_pass_at.is_some()));
    }
    all.sort_unstable_by(more_telling);
    all
}

fn more_telling(a: &Part<'_>, b: &Part<'_>) -> Ordering {
    let inside = |part: &Part<'_>| part.position == "within";
    inside(a).cmp(&inside(b)).then(b.share.total_cmp(&a.share)).then_with(|| a.feature.cmp(b.feature))
}

/// The line: what the session openly is, contradictions, then the outstanding features.
#[must_use]
pub fn line(
    declared: Option<String>,
    contradictions: &[String],
    features: &[&Feature],
    parts: &[Part<'_>],
    share: Option<(f64, &str)>,
) -> String {
    let mut pieces: Vec<String> = declared.into_iter().chain(contradictions.iter().cloned()).collect();
    if let Some((share, claim)) = share
        && !contradictions.is_empty()
    {
        pieces.push(format!("{} of the sessions that claim {claim} look like this", percent(share)));
    }
    for part in parts.iter().filter(|part| part.position != "within").take(NAMED) {
        pieces.extend(of(features, part).map(|feature| compare(part, feature)));
    }
    if pieces.is_empty() {
        let named: Vec<String> =
            parts.iter().filter_map(|part| of(features, part).map(|feature| say(part.value, feature))).take(NAMED).collect();
        if named.is_empty() {
            return "nothing to compare it with".to_owned();
        }
        return format!("no single value stands out; rare together: {}", named.join(", "));
    }
    let mut text = pieces.join("; ");
    if let Some(first) = text.get(..1) {
        let upper = first.to_ascii_uppercase();
        text.replace_range(..1, &upper);
    }
    text
}

fn of<'a>(features: &[&'a Feature], part: &Part<'_>) -> Option<&'a Feature> {
    features.iter().copied().find(|feature| feature.name == part.feature)
}

/// The value in words, and the span of people beside it.
fn compare(part: &Part<'_>, feature: &Feature) -> String {
    let mut text = say(part.value, feature);
    let (span, unit) = (part.baseline, &feature.unit);
    if shown(span.low, unit) == shown(span.high, unit) {
        let _ = write!(text, " (people: {})", shown(span.median, unit));
    } else {
        let _ = write!(text, " (people: {} to {})", shown(span.low, unit), shown(span.high, unit));
    }
    text
}

/// The value within the catalogue's words for it: "12 ms between its requests on average", "never a Referer".
fn say(value: f64, feature: &Feature) -> String {
    if value == 0.0 && !feature.none.is_empty() {
        return feature.none.clone();
    }
    let value = shown(value, &feature.unit);
    let (one, many) = if value == "1" { ("", "") } else { ("s", "es") };
    feature.said.replace("(s)", one).replace("(es)", many).replace("{}", &value)
}

/// A number as people write it, by its unit.
fn shown(value: f64, unit: &str) -> String {
    match unit {
        "share" => percent(value),
        "flag" if value == 0.0 => "no".to_owned(),
        "flag" if value == 1.0 => "yes".to_owned(),
        "ms" if value.abs() >= 10_000.0 => format!("{} s", short(value / 1000.0)),
        "us" if value.abs() >= 10_000.0 => format!("{} ms", short(value / 1000.0)),
        "us" => format!("{} µs", short(value)),
        "ms" | "bytes" | "hops" | "bit" => format!("{} {unit}", short(value)),
        "1/min" => format!("{}/min", short(value)),
        _ => short(value),
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    // A tenth of a percent tells a reader something only near the ends.
    format!("{} %", short(if (10.0..=99.0).contains(&percent) { percent.round() } else { percent }))
}

/// At most three significant digits, never an exponent.
fn short(value: f64) -> String {
    let size = value.abs();
    let decimals = if size >= 100.0 || size == size.trunc() && size >= 1.0 || size == 0.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 0.1 {
        2
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn position(value: f64, span: Span) -> &'static str {
    let slack = 1e-9 * span.high.abs().max(1.0);
    if value > span.high + slack {
        "above"
    } else if value < span.low - slack {
        "below"
    } else {
        "within"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(name: &str, unit: &str, said: &str) -> Feature {
        Feature {
            name: name.to_owned(),
            said: said.to_owned(),
            none: if unit == "share" { "none of it".to_owned() } else { String::new() },
            family: String::new(),
            formula: String::new(),
            unit: unit.to_owned(),
            why: String::new(),
            neutral: 0.0,
            transform: crate::catalogue::Transform::None,
            model: true,
            complete_only: false,
        }
    }

    #[test]
    fn a_line_names_contradictions_first_and_numbers_with_their_span() {
        let features = [
            feature("gap_mean_ms", "ms", "{} between its requests"),
            feature("accept_language_rate", "share", "Accept-Language in {} of its requests"),
        ];
        let features: Vec<&Feature> = features.iter().collect();
        let spans = [Span { low: 900.0, median: 4000.0, high: 30_000.0 }, Span { low: 1.0, median: 1.0, high: 1.0 }];
        let parts = parts(&features, &[12.0, 0.0], &[0.2, 0.7], &spans, 5, |_| None);
        assert_eq!(parts[0].feature, "accept_language_rate");
        let line =
            line(None, &["claims chrome with the TLS stack of curl".to_owned()], &features, &parts, Some((0.002, "chrome")));
        assert_eq!(
            line,
            "Claims chrome with the TLS stack of curl; 0.2 % of the sessions that claim chrome look like this; \
             none of it (people: 100 %); 12 ms between its requests (people: 900 ms to 30 s)"
        );
    }

    #[test]
    fn a_part_that_would_pass_is_kept_however_little_it_tells() {
        let features = [feature("a", "count", "{}"), feature("b", "count", "{}"), feature("c", "count", "{}")];
        let features: Vec<&Feature> = features.iter().collect();
        let spans = [Span { low: 0.0, median: 1.0, high: 2.0 }; 3];
        let would_pass_at = |column: usize| (column == 2).then_some(1.5);
        let parts = parts(&features, &[9.0, 1.0, 1.0], &[0.5, 0.4, 0.1], &spans, 1, would_pass_at);
        let found: Vec<_> = parts.iter().map(|part| (part.feature, part.position, part.would_pass_at)).collect();
        assert_eq!(found, [("a", "above", None), ("c", "within", Some(1.5))]);
    }

    #[test]
    fn an_ordinary_session_says_so() {
        let features = [feature("hits", "requests", "{} request(s) in the hour")];
        let features: Vec<&Feature> = features.iter().collect();
        let spans = [Span { low: 1.0, median: 5.0, high: 9.0 }];
        let told = |hits: f64| line(None, &[], &features, &parts(&features, &[hits], &[1.0], &spans, 5, |_| None), None);
        assert_eq!(told(4.0), "no single value stands out; rare together: 4 requests in the hour");
        assert_eq!(told(1.0), "no single value stands out; rare together: 1 request in the hour");
        assert_eq!(told(20.0), "20 requests in the hour (people: 1 to 9)");
    }
}
