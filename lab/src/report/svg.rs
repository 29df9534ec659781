//! Figures as SVG text: bars with intervals, lines with intervals, and a table of shades.
//!
//! Promises: the same numbers give the same bytes; every text from outside is escaped; no script, no link, no font from elsewhere.
//!
//! Read next: `html.rs` (the page they stand in).

use std::fmt::Write as _;

use crate::experiment::outcome::Value;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its length.
    pub value: f64,
    /// Interval of the value.
    pub interval: Option<[f64; 2]>,
}

impl Bar {
    /// The bar of a value.
    #[must_use]
    pub fn of(name: &str, value: &Value) -> Self {
        Self { name: name.to_owned(), value: value.value, interval: value.interval }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Place, value, interval of the value.
    pub points: Vec<(f64, f64, Option<[f64; 2]>)>,
}

impl Line {
    /// A line without points.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), points: Vec::new() }
    }
}

/// Colours that people with any colour vision can tell apart (Okabe, Ito 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const WIDTH: f64 = 720.0;

/// `text` as it may stand in HTML and SVG, also inside quotes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::render::visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Horizontal bars over `range`, one below the other.
#[must_use]
pub fn bars(title: &str, axis: &str, range: (f64, f64), bars: &[Bar]) -> String {
    let (left, right, row) = (220.0, 90.0, 24.0);
    #[allow(clippy::cast_precision_loss, reason = "a few bars")]
    let height = 64.0 + row * bars.len() as f64;
    let (low, high) = range;
    let x = |value: f64| left + (value.clamp(low, high) - low) / (high - low).max(1e-12) * (WIDTH - left - right);
    let mut out = begin(title, height);
    ticks(&mut out, low, high, &x, 36.0, height - 28.0);
    for (place, bar) in bars.iter().enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "a few bars")]
        let y = 40.0 + row * place as f64;
        let (from, to) = (x(0.0_f64.clamp(low, high)), x(bar.value));
        text(&mut out, left - 8.0, y + 12.0, "end", &bar.name);
        let _ = write!(
            out,
            "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"15\" fill=\"{}\"/>",
            from.min(to),
            (to - from).abs(),
            COLOURS[0]
        );
        if let Some([least, most]) = bar.interval {
            let y = y + 7.5;
            let _ = write!(out, "<path d=\"M{:.1} {y:.1}H{:.1}\" stroke=\"#000\" stroke-width=\"1.5\"/>", x(least), x(most));
        }
        text(&mut out, WIDTH - right + 8.0, y + 12.0, "start", &format!("{:.3}", bar.value));
    }
    text(&mut out, (left + WIDTH - right) / 2.0, height - 6.0, "middle", axis);
    out + "</svg>"
}

/// Lines over a common x-axis; intervals as vertical strokes.
#[must_use]
pub fn lines(title: &str, x_axis: &str, y_axis: &str, range: (f64, f64), lines: &[Line]) -> String {
    let (left, right, top, bottom, height) = (60.0, 170.0, 36.0, 48.0, 340.0);
    let places = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
    let (from, to) = (places().fold(f64::MAX, f64::min), places().fold(f64::MIN, f64::max));
    let x = |value: f64| left + (value - from) / (to - from).max(1e-12) * (WIDTH - left - right);
    let (low, high) = range;
    let y = |value: f64| height - bottom - (value.clamp(low, high) - low) / (high - low).max(1e-12) * (height - top - bottom);
    let mut out = begin(title, height);
    if from <= to {
        ticks(&mut out, from, to, &x, top, height - bottom);
    }
    for step in 0..=4 {
        let value = low + (high - low) * f64::from(step) / 4.0;
        let _ = write!(out, "<path d=\"M{left} {0:.1}H{1:.1}\" stroke=\"#ddd\"/>", y(value), WIDTH - right);
        text(&mut out, left - 6.0, y(value) + 4.0, "end", &short(value));
    }
    for (place, line) in lines.iter().enumerate() {
        let colour = COLOURS.get(place % COLOURS.len()).copied().unwrap_or("#000");
        let mut path = String::new();
        for (index, (at, value, interval)) in line.points.iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if index == 0 { "M" } else { "L" }, x(*at), y(*value));
            let _ = write!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", x(*at), y(*value));
            if let Some([least, most]) = interval {
                let _ = write!(
                    out,
                    "<path d=\"M{:.1} {:.1}V{:.1}\" stroke=\"{colour}\" opacity=\"0.5\" stroke-width=\"2\"/>",
                    x(*at),
                    y(*least),
                    y(*most)
                );
            }
        }
        let _ = write!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
        #[allow(clippy::cast_precision_loss, reason = "a few lines")]
        let at = top + 14.0 + 18.0 * place as f64;
        let _ = write!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>",
            WIDTH - right + 10.0,
            at - 5.0
        );
        text(&mut out, WIDTH - right + 28.0, at, "start", &line.name);
    }
    text(&mut out, (left + WIDTH - right) / 2.0, height - 8.0, "middle", x_axis);
    text(&mut out, 6.0, top - 6.0, "start", y_axis);
    out + "</svg>"
}

/// A table of rows and columns shaded by value from 0 to 1.
#[must_use]
pub fn heat(title: &str, cells: &[(String, String, Option<f64>)]) -> String {
    let (mut rows, mut columns): (Vec<&String>, Vec<&String>) = (Vec::new(), Vec::new());
    for (row, column, _) in cells {
        if !rows.contains(&row) {
            rows.push(row);
        }
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a small table")]
    let (wide, height) = ((WIDTH - 200.0) / columns.len().max(1) as f64, 110.0 + 26.0 * rows.len() as f64);
    let mut out = begin(title, height);
    #[allow(clippy::cast_precision_loss, reason = "a small table")]
    for (row, column, value) in cells {
        let place = |list: &[&String], name: &String| list.iter().position(|found| *found == name).unwrap_or_default() as f64;
        let (x, y) = (200.0 + wide * place(&columns, column), 96.0 + 26.0 * place(&rows, row));
        let Some(value) = value else { continue };
        let shade = value.clamp(0.0, 1.0);
        let ink = if shade > 0.6 { "#fff" } else { "#000" };
        let _ = write!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"24\" fill=\"#0072b2\" fill-opacity=\"{shade:.3}\" stroke=\"#ccc\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{ink}\">{value:.2}</text>",
            wide - 2.0,
            x + wide / 2.0,
            y + 16.0
        );
    }
    #[allow(clippy::cast_precision_loss, reason = "a small table")]
    for (place, row) in rows.iter().enumerate() {
        text(&mut out, 192.0, 112.0 + 26.0 * place as f64, "end", row);
    }
    #[allow(clippy::cast_precision_loss, reason = "a small table")]
    for (place, column) in columns.iter().enumerate() {
        let x = 200.0 + wide * (place as f64 + 0.5);
        let _ = write!(out, "<g transform=\"translate({x:.1},90) rotate(-30)\"><text>{}</text></g>", escaped(column));
    }
    out + "</svg>"
}

/// Whether a figure read from a file holds only elements and attributes that are written here.
#[must_use]
pub fn is_ours(figure: &str) -> bool {
    const ELEMENTS: [&str; 7] = ["svg", "title", "rect", "text", "path", "circle", "g"];
    let mut rest = figure;
    while let Some((_, after)) = rest.split_once('<') {
        let name: String = after.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        let Some((tag, after)) = after.split_once('>') else { return false };
        let lower = tag.to_ascii_lowercase();
        let acts = lower.contains("href")
            || lower.contains("style")
            || lower.contains("url(")
            || lower.split_whitespace().any(|word| word.starts_with("on"));
        if !ELEMENTS.contains(&name.as_str()) || acts {
            return false;
        }
        rest = after;
    }
    figure.starts_with("<svg ") && figure.ends_with("</svg>")
}

fn begin(title: &str, height: f64) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\"><title>{0}</title><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
         <text x=\"6\" y=\"18\" font-size=\"13\" font-weight=\"bold\">{0}</text>",
        escaped(title)
    );
    out.shrink_to_fit();
    out
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, content: &str) {
    let cut: String = content.chars().take(60).collect();
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(&cut));
}

fn ticks(out: &mut String, low: f64, high: f64, x: &dyn Fn(f64) -> f64, top: f64, bottom: f64) {
    for step in 0..=4 {
        let value = low + (high - low) * f64::from(step) / 4.0;
        let _ = write!(out, "<path d=\"M{0:.1} {top:.1}V{bottom:.1}\" stroke=\"#ddd\"/>", x(value));
        text(out, x(value), bottom + 14.0, "middle", &short(value));
    }
}

fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_text() {
        let hostile = "</text><script>alert(1)</script>\" onload='x'\u{202e}";
        let bar = Bar { name: hostile.to_owned(), value: 0.5, interval: Some([0.4, 0.6]) };
        let line = Line { name: hostile.to_owned(), points: vec![(0.0, 0.5, None), (1.0, 0.7, Some([0.6, 0.8]))] };
        let cell = (hostile.to_owned(), hostile.to_owned(), Some(0.5));
        for figure in [
            bars(hostile, hostile, (0.0, 1.0), &[bar]),
            lines(hostile, hostile, hostile, (0.0, 1.0), &[line]),
            heat(hostile, &[cell]),
        ] {
            assert!(!figure.contains("<script") && !figure.contains("onload='") && !figure.contains('\u{202e}'), "{figure}");
            assert_eq!(figure.matches("<svg").count(), 1);
            assert!(is_ours(&figure));
            assert!(!is_ours(&figure.replace("</svg>", "<script>1</script></svg>")));
            assert!(!is_ours(&figure.replace("<rect ", "<rect onclick=\"1\" ")));
            assert_eq!(figure.matches("<text").count(), figure.matches("</text>").count());
        }
    }

    #[test]
    fn no_points_are_no_panic() {
        assert!(lines("t", "x", "y", (0.0, 1.0), &[Line::new("a")]).ends_with("</svg>"));
        assert!(bars("t", "x", (0.0, 1.0), &[]).ends_with("</svg>"));
        assert!(heat("t", &[]).ends_with("</svg>"));
    }
}
