//! Counters and gauges with labels, printed as Prometheus reads them (text format 0.0.4).
//!
//! Promises: updating a metric takes no lock and never waits; the text is the same bytes for the same values, families and series
//! in alphabetical order; label values may hold anything a client sent, they are escaped; a registry holds at most
//! [`MAX_SERIES`] series, further ones are counted in `ja4_metrics_series_refused_total` and not shown. No clock is read.
//!
//! Read next: `bin/ja4-correlator`, which fills one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Content type of what [`Registry::render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Most series of one registry: a label that a client chooses must not fill the memory.
pub const MAX_SERIES: usize = 4096;

/// A number that only grows. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes over a total that is counted elsewhere; never goes back.
    pub fn raise_to(&self, total: u64) {
        self.0.fetch_max(total, Ordering::Relaxed);
    }

    /// The total so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down. Clones are the same number.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Sets it to a whole number; beyond 2^53 the nearest double is shown.
    #[allow(clippy::cast_precision_loss, reason = "documented")]
    pub fn set_int(&self, value: u64) {
        self.set(value as f64);
    }

    /// What it is now.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// All metrics of a program. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Mutex<Families>>);

#[derive(Debug, Default)]
struct Families {
    by_name: BTreeMap<String, Family>,
    series: usize,
    refused: u64,
}

#[derive(Debug)]
struct Family {
    help: String,
    kind: Kind,
    /// By rendered labels, so that the order of the text is that of the labels.
    series: BTreeMap<String, Arc<AtomicU64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter of this name and these labels, made at the first call. Names end in `_total` by convention.
    #[must_use]
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        Counter(self.series(Kind::Counter, name, help, labels))
    }

    /// The gauge of this name and these labels, made at the first call. The unit belongs into the name.
    #[must_use]
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        Gauge(self.series(Kind::Gauge, name, help, labels))
    }

    /// Everything as text, in alphabetical order.
    #[must_use]
    pub fn render(&self) -> String {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (name, family) in &families.by_name {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let _ = writeln!(text, "# HELP {name} {}", escape(&family.help, false));
            let _ = writeln!(text, "# TYPE {name} {kind}");
            for (labels, cell) in &family.series {
                let bits = cell.load(Ordering::Relaxed);
                let _ = match family.kind {
                    Kind::Counter => writeln!(text, "{name}{labels} {bits}"),
                    Kind::Gauge => writeln!(text, "{name}{labels} {}", number(f64::from_bits(bits))),
                };
            }
        }
        if families.refused > 0 {
            let _ = writeln!(text, "# TYPE ja4_metrics_series_refused_total counter");
            let _ = writeln!(text, "ja4_metrics_series_refused_total {}", families.refused);
        }
        text
    }

    /// The cell of a series; one that cannot be shown (too many, or the name stands for the other kind) counts for itself.
    fn series(&self, kind: Kind, name: &str, help: &str, labels: &[(&str, &str)]) -> Arc<AtomicU64> {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Families { by_name, series, refused } = &mut *families;
        let family =
            by_name.entry(metric_name(name)).or_insert_with(|| Family { help: help.to_owned(), kind, series: BTreeMap::new() });
        let labels = label_text(labels);
        if let Some(cell) = family.series.get(&labels).filter(|_| family.kind == kind) {
            return Arc::clone(cell);
        }
        let cell = Arc::new(AtomicU64::new(0));
        if *series >= MAX_SERIES || family.kind != kind {
            *refused = refused.saturating_add(1);
            return cell;
        }
        *series = series.saturating_add(1);
        family.series.insert(labels, Arc::clone(&cell));
        cell
    }
}

/// `{a="b",c="d"}`, sorted by name; nothing without labels.
fn label_text(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let mut pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{}=\"{}\"", metric_name(name), escape(value, true))).collect();
    pairs.sort_unstable();
    format!("{{{}}}", pairs.join(","))
}

/// What cannot stand in a name becomes `_`.
fn metric_name(name: &str) -> String {
    let fit = |(place, c): (usize, char)| {
        if c.is_ascii_alphabetic() || c == '_' || (place > 0 && c.is_ascii_digit()) { c } else { '_' }
    };
    name.chars().enumerate().map(fit).collect()
}

/// The format's escapes, and other controls as `\xhh` so that a terminal that shows the text is not steered.
fn escape(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c if c.is_control() => {
                let _ = write!(out, "\\\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_in_order_whatever_the_order_of_calls() {
        let registry = Registry::new();
        registry.gauge("ja4_lag_seconds", "how far behind", &[]).set(0.25);
        registry.counter("ja4_events_total", "events", &[("stream", "network"), ("fate", "sent")]).add(2);
        registry.counter("ja4_events_total", "events", &[("fate", "sent"), ("stream", "http")]).inc();
        // The same series again is the same number.
        registry.counter("ja4_events_total", "ignored", &[("stream", "http"), ("fate", "sent")]).inc();
        let text = "# HELP ja4_events_total events\n# TYPE ja4_events_total counter\n\
                    ja4_events_total{fate=\"sent\",stream=\"http\"} 2\nja4_events_total{fate=\"sent\",stream=\"network\"} 2\n\
                    # HELP ja4_lag_seconds how far behind\n# TYPE ja4_lag_seconds gauge\nja4_lag_seconds 0.25\n";
        assert_eq!(registry.render(), text);
    }

    #[test]
    fn what_a_client_sent_cannot_break_out_of_a_label() {
        let registry = Registry::new();
        registry.counter("bad name", "h\nelp", &[("host", "a\"} 1\nfake 2\\\u{1b}[2J")]).inc();
        let text = registry.render();
        assert!(text.contains("bad_name{host=\"a\\\"} 1\\nfake 2\\\\\\\\x1b[2J\"} 1\n"), "{text}");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn too_many_series_are_counted_and_cost_no_memory() {
        let registry = Registry::new();
        for number in 0..MAX_SERIES + 7 {
            registry.counter("n_total", "n", &[("n", &number.to_string())]).inc();
        }
        let text = registry.render();
        assert!(text.ends_with("ja4_metrics_series_refused_total 7\n"));
        assert_eq!(text.lines().count(), MAX_SERIES + 4);
        registry.gauge("n_total", "a counter already", &[]).set(1.0);
        assert!(registry.render().ends_with("ja4_metrics_series_refused_total 8\n"));
    }

    #[test]
    fn a_counter_never_goes_back() {
        let counter = Registry::new().counter("x_total", "x", &[]);
        counter.raise_to(5);
        counter.raise_to(3);
        counter.inc();
        assert_eq!(counter.get(), 6);
    }
}
