//! The search language: `ip:192.0.2.7 ja4:t13d* score:>0.8 -host:shop.example sort:hits-desc "free text"`.
//!
//! Promises: a text becomes terms or one sentence that says where and why it is none; terms become constant pieces of SQL with
//! parameters, never SQL made of data; writing a parsed search and parsing it again gives the same search.
//!
//! Read next: `compile.rs` (terms to SQL), `../widgets/searchbar.rs` (where people type it).

use std::fmt::Write as _;

/// Words that may stand before a colon, with what they mean; completion and help list them.
pub const KEYS: &[(&str, &str)] = &[
    ("ip", "address, with * at an end"),
    ("ja4", "TLS fingerprint, with * at an end"),
    ("host", "site"),
    ("ua", "words of the User-Agent"),
    ("family", "what the User-Agent claims to be"),
    ("reason", "words of the reason"),
    ("severity", "none, low, medium, high, critical or allowed"),
    ("score", "final score, 0 to 1, with > < or a..b"),
    ("eif", "the forest's score"),
    ("autoencoder", "the autoencoder's score"),
    ("boosted", "the trees' score"),
    ("agreement", "share of voices that agree"),
    ("anomaly", "1 or 0"),
    ("model", "complete or application"),
    ("session", "session id"),
    ("hits", "requests of a session"),
    ("label", "1 bot, 0 legitimate, -1 none"),
    ("country", "two letters"),
    ("asn", "number of the autonomous system"),
    ("as", "words of its name"),
    ("method", "GET, POST, ..."),
    ("path", "path, with * at an end"),
    ("status", "HTTP status, with > < or a..b"),
    ("match", "how a request was joined"),
    ("kind", "kind of a row"),
];

/// What may be compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// One of these texts; a `*` at an end leaves that end open.
    Any(Vec<Pattern>),
    /// Numbers from and to, an end that is open is infinite.
    Range {
        /// Lower bound.
        low: f64,
        /// Whether the bound itself belongs to it.
        low_open: bool,
        /// Upper bound.
        high: f64,
        /// Whether the bound itself belongs to it.
        high_open: bool,
    },
}

/// A text to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The text without stars.
    pub text: String,
    /// Anything may stand before.
    pub open_start: bool,
    /// Anything may follow.
    pub open_end: bool,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The row must not meet it.
    pub not: bool,
    /// A word of [`KEYS`]; empty for free text.
    pub key: String,
    /// What it must be.
    pub test: Test,
}

/// A whole search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Search {
    /// All must hold.
    pub terms: Vec<Term>,
    /// Key and direction (true is descending).
    pub sort: Option<(String, bool)>,
}

/// Why a text is no search, and where (bytes).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SearchError {
    /// Where it begins to be wrong.
    pub at: usize,
    /// A sentence.
    pub detail: String,
}

impl Search {
    /// Reads a search.
    ///
    /// # Errors
    /// An unknown key, a quote that does not end, a number that is none.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let mut search = Self::default();
        for (at, word) in words(text)? {
            search.add(at, &word)?;
        }
        Ok(search)
    }

    fn add(&mut self, at: usize, word: &Word) -> Result<(), SearchError> {
        let fail = |detail: String| SearchError { at, detail };
        let Some(key) = &word.key else {
            let pattern = Pattern { text: word.value.clone(), open_start: true, open_end: true };
            self.terms.push(Term { not: word.not, key: String::new(), test: Test::Any(vec![pattern]) });
            return Ok(());
        };
        if key == "sort" {
            let (name, descending) = match word.value.strip_suffix("-desc") {
                Some(name) => (name, true),
                None => (word.value.strip_suffix("-asc").unwrap_or(&word.value), false),
            };
            if !KEYS.iter().any(|known| known.0 == name) && name != "time" {
                return Err(fail(format!("sort:{} names no column; {}", word.value, nearest(name))));
            }
            self.sort = Some((name.to_owned(), descending));
            return Ok(());
        }
        if !KEYS.iter().any(|known| known.0 == key) {
            return Err(fail(format!("there is no {key}: to search by; {}", nearest(key))));
        }
        if word.value.is_empty() && !word.quoted || word.value.chars().all(|c| c == ',') && !word.value.is_empty() {
            return Err(fail(format!("{key}: needs a value, as in {}", example(key))));
        }
        let test = if word.quoted { None } else { range(&word.value).map_err(&fail)? };
        let test = match test {
            Some(test) => test,
            None if is_number(key) => exact(key, &word.value).map_err(&fail)?,
            None => Test::Any(patterns(&word.value, word.quoted)),
        };
        if matches!(test, Test::Range { .. }) && !is_number(key) {
            return Err(fail(format!(
                "{key}: is a text, it cannot be compared with < > or a..b; quote the value to find it as it is"
            )));
        }
        self.terms.push(Term { not: word.not, key: key.clone(), test });
        Ok(())
    }

    /// This search with one more condition on a cell; an equal or opposite one is replaced.
    #[must_use]
    pub fn with(mut self, not: bool, key: &str, value: &str) -> Self {
        let test = Test::Any(vec![Pattern { text: value.to_owned(), open_start: false, open_end: false }]);
        let test = match value.parse::<f64>() {
            Ok(number) if is_number(key) => Test::Range { low: number, low_open: false, high: number, high_open: false },
            _ => test,
        };
        self.terms.retain(|term| term.key != key || term.test != test);
        self.terms.push(Term { not, key: key.to_owned(), test });
        self
    }
}

impl std::fmt::Display for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        for term in &self.terms {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(if term.not { "-" } else { "" });
            if !term.key.is_empty() {
                let _ = write!(text, "{}:", term.key);
            }
            match &term.test {
                Test::Any(patterns) => {
                    let written: Vec<String> =
                        patterns.iter().map(|pattern| write_pattern(pattern, term.key.is_empty())).collect();
                    text.push_str(&written.join(","));
                }
                Test::Range { low, low_open, high, high_open } => text.push_str(&write_range(*low, *low_open, *high, *high_open)),
            }
        }
        if let Some((key, descending)) = &self.sort {
            let _ = write!(
                text,
                "{}sort:{key}{}",
                if text.is_empty() { "" } else { " " },
                if *descending { "-desc" } else { "-asc" }
            );
        }
        f.write_str(&text)
    }
}

/// Whether a key compares numbers.
#[must_use]
pub fn is_number(key: &str) -> bool {
    matches!(key, "score" | "eif" | "autoencoder" | "boosted" | "agreement" | "anomaly" | "hits" | "label" | "asn" | "status")
}

/// Keys that begin with what stands before the cursor.
#[must_use]
pub fn completions(text: &str) -> Vec<(String, &'static str)> {
    let last = text.rsplit(' ').next().unwrap_or_default();
    let stem = last.strip_prefix('-').unwrap_or(last);
    if stem.contains(':') || stem.contains('"') {
        return Vec::new();
    }
    let head = text.strip_suffix(stem).unwrap_or(text);
    let known = KEYS.iter().copied().chain([("sort", "column, with -desc")]);
    known.filter(|(key, _)| key.starts_with(stem)).map(|(key, means)| (format!("{head}{key}:"), means)).collect()
}

struct Word {
    not: bool,
    key: Option<String>,
    value: String,
    quoted: bool,
}

/// Splits at blanks outside quotes.
fn words(text: &str) -> Result<Vec<(usize, Word)>, SearchError> {
    let mut found = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some(&(at, first)) = chars.peek() {
        if first.is_whitespace() {
            chars.next();
            continue;
        }
        let not =
            first == '-' && text.get(at + 1..).is_some_and(|rest| !rest.is_empty() && !rest.starts_with(char::is_whitespace));
        if not {
            chars.next();
        }
        let mut word = Word { not, key: None, value: String::new(), quoted: false };
        while let Some(&(place, c)) = chars.peek() {
            if c.is_whitespace() {
                break;
            }
            chars.next();
            if c == '"' && word.value.is_empty() && !word.quoted {
                word.quoted = true;
                quoted(&mut chars, &mut word.value).ok_or_else(|| SearchError {
                    at: place,
                    detail: "a quote begins here and does not end; write \" at its end".to_owned(),
                })?;
            } else if c == ':' && word.key.is_none() && !word.quoted && is_key(&word.value) {
                word.key = Some(std::mem::take(&mut word.value));
            } else {
                word.value.push(c);
            }
        }
        found.push((at, word));
    }
    Ok(found)
}

/// Takes up to the closing quote; `\"` and `\\` stand for themselves.
fn quoted(chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>, value: &mut String) -> Option<()> {
    loop {
        match chars.next()?.1 {
            '"' => return Some(()),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn range(value: &str) -> Result<Option<Test>, String> {
    let number = |text: &str| match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("{text:?} is no number, as in score:>0.8 or score:0.5..0.9")),
    };
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    let test = |low: f64, low_open: bool, high: f64, high_open: bool| Ok(Some(Test::Range { low, low_open, high, high_open }));
    if let Some(rest) = value.strip_prefix(">=") {
        return test(number(rest)?, false, all.1, true);
    }
    if let Some(rest) = value.strip_prefix('>') {
        return test(number(rest)?, true, all.1, true);
    }
    if let Some(rest) = value.strip_prefix("<=") {
        return test(all.0, true, number(rest)?, false);
    }
    if let Some(rest) = value.strip_prefix('<') {
        return test(all.0, true, number(rest)?, true);
    }
    match value.split_once("..") {
        Some((low, high)) if low.parse::<f64>().is_ok() && high.parse::<f64>().is_ok() => {
            test(number(low)?, false, number(high)?, false)
        }
        _ => Ok(None),
    }
}

fn exact(key: &str, value: &str) -> Result<Test, String> {
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Test::Range { low: number, low_open: false, high: number, high_open: false }),
        _ => Err(format!("{key}: compares numbers, as in {}; {value:?} is none", example(key))),
    }
}

fn patterns(value: &str, quoted: bool) -> Vec<Pattern> {
    if quoted {
        return vec![Pattern { text: value.to_owned(), open_start: false, open_end: false }];
    }
    let pattern = |part: &str| {
        let (start, rest) = part.strip_prefix('*').map_or((false, part), |rest| (true, rest));
        let (end, rest) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
        Pattern { text: rest.to_owned(), open_start: start, open_end: end }
    };
    value.split(',').filter(|part| !part.is_empty()).map(pattern).collect()
}

fn write_pattern(pattern: &Pattern, free: bool) -> String {
    let plain = !pattern.text.is_empty()
        && !pattern.text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '*' | ',' | ':' | '\\'))
        && !pattern.text.starts_with(['-', '<', '>'])
        && !pattern.text.contains("..");
    if free {
        return if plain { pattern.text.clone() } else { quote(&pattern.text) };
    }
    let start = if pattern.open_start { "*" } else { "" };
    let end = if pattern.open_end { "*" } else { "" };
    if pattern.text.is_empty() {
        return if pattern.open_start || pattern.open_end { "*".to_owned() } else { "\"\"".to_owned() };
    }
    // An address of version 6 has colons, which are plain behind a key.
    let plain = plain
        || (!pattern.text.is_empty()
            && pattern.text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'))
            && !pattern.text.contains(".."));
    if plain { format!("{start}{}{end}", pattern.text) } else { quote(&pattern.text) }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn write_range(low: f64, low_open: bool, high: f64, high_open: bool) -> String {
    if low == f64::NEG_INFINITY {
        return format!("<{}{high}", if high_open { "" } else { "=" });
    }
    if high == f64::INFINITY {
        return format!(">{}{low}", if low_open { "" } else { "=" });
    }
    #[allow(clippy::float_cmp, reason = "both ends come from the same text")]
    let one = low == high;
    if one { format!("{low}") } else { format!("{low}..{high}") }
}

fn example(key: &str) -> &'static str {
    match key {
        "score" | "eif" | "autoencoder" | "boosted" | "agreement" => "score:>0.8",
        "hits" | "status" | "asn" => "status:400..499",
        "anomaly" | "label" => "anomaly:1",
        "ip" => "ip:192.0.2.*",
        "ja4" => "ja4:t13d*",
        _ => "host:shop.example",
    }
}

fn nearest(word: &str) -> String {
    let close = KEYS.iter().filter(|(key, _)| distance(key, word) <= 2).map(|(key, _)| *key).collect::<Vec<_>>();
    if close.is_empty() {
        return format!("there are {}", KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", "));
    }
    format!("did you mean {}?", close.join(" or "))
}

/// Letters to change, add or drop between two short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(20).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
