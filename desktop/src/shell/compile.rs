//! A search to SQL: constant pieces, one for each key and kind of comparison, and the values as parameters beside them.
//!
//! Promises: nothing that a person typed or a log holds becomes SQL text; a key that a table lacks is named, not silently dropped;
//! the pieces read alike on both engines.
//!
//! Read next: `search.rs`, `../data/query.rs` (where the pieces go).

use super::search::{Pattern, Search, Test};

/// A table that searches can be run over: its keys with their columns.
#[derive(Debug, Clone, Copy)]
pub struct Relation {
    /// (key of the language, column). Both are constants of this program.
    pub columns: &'static [(&'static str, &'static str)],
    /// Columns that free text is looked for in.
    pub free: &'static [&'static str],
    /// Columns that bound its time, first and last, ns since 1970.
    pub time: Option<(&'static str, &'static str)>,
    /// Order where none is asked for; total.
    pub order: &'static str,
}

/// Scored sessions: `ml_all_scores`.
pub const SESSIONS: Relation = Relation {
    columns: &[
        ("ip", "src_ip"),
        ("ja4", "ja4"),
        ("host", "host"),
        ("ua", "user_agent"),
        ("family", "ua_family"),
        ("reason", "reason"),
        ("severity", "severity"),
        ("score", "score"),
        ("eif", "score_eif"),
        ("autoencoder", "score_autoencoder"),
        ("boosted", "score_boosted"),
        ("agreement", "agreement"),
        ("anomaly", "anomaly"),
        ("model", "model_kind"),
        ("session", "session_id"),
        ("hits", "hits"),
        ("label", "label"),
        ("country", "country"),
        ("asn", "asn"),
        ("as", "as_name"),
    ],
    free: &["src_ip", "client_ip", "host", "ja4", "user_agent", "ua_family", "reason", "session_id"],
    time: Some(("first_ns", "last_ns")),
    order: "score DESC, hits DESC, src_ip, ja4, host, win_ms",
};

/// Requests: `http_logs`.
pub const REQUESTS: Relation = Relation {
    columns: &[
        ("ip", "src_ip"),
        ("ja4", "ja4"),
        ("host", "host"),
        ("ua", "user_agent"),
        ("family", "ua_family"),
        ("country", "country"),
        ("asn", "asn"),
        ("as", "as_name"),
        ("method", "method"),
        ("path", "path"),
        ("status", "status"),
        ("match", "match_kind"),
    ],
    free: &["src_ip", "client_ip", "host", "path", "ja4", "user_agent"],
    time: Some(("ts_ns", "ts_ns")),
    order: "ts_ns, row_hi, row_lo",
};

/// What a dashboard lists: `view_dashboard_entities`.
pub const ENTITIES: Relation = Relation {
    columns: &[("kind", "kind"), ("hits", "hits"), ("country", "country"), ("as", "label")],
    free: &["entity", "label"],
    time: Some(("first_ns", "last_ns")),
    order: "hits DESC, kind, entity",
};

/// JA4 with who uses them.
pub const FINGERPRINTS: Relation = Relation {
    columns: &[("ja4", "ja4"), ("hits", "hits"), ("family", "families")],
    free: &["ja4", "bot", "browser", "families"],
    time: None,
    order: "hits DESC, ja4",
};

/// Login attempts: `view_form_bruteforce_detected`.
pub const BRUTE_FORCE: Relation = Relation {
    columns: &[
        ("ip", "src_ip"),
        ("ja4", "ja4"),
        ("host", "host"),
        ("path", "path"),
        ("ua", "user_agent"),
        ("severity", "severity"),
        ("kind", "kind"),
        ("hits", "attempts"),
    ],
    free: &["src_ip", "host", "path", "user_agent", "ja4"],
    time: Some(("first_ns", "last_ns")),
    order: "attempts DESC, src_ip, ja4, host, path, win_ms",
};

/// Rotation of identities: `view_host_ip_ja4_rotation`.
pub const ROTATION: Relation = Relation {
    columns: &[("ip", "src_ip"), ("host", "host"), ("hits", "hits"), ("kind", "kind"), ("country", "country"), ("asn", "asn")],
    free: &["src_ip", "host"],
    time: Some(("first_ns", "last_ns")),
    order: "ja4s DESC, user_agents DESC, src_ip, host, win_ms",
};

/// A condition and an order, ready for a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compiled {
    /// SQL made of constants, with `?` where values go.
    pub condition: String,
    /// The values, in order.
    pub values: Vec<String>,
    /// SQL made of constants.
    pub order: String,
    /// Keys of the search that this table does not have.
    pub foreign: Vec<String>,
}

/// Compiles `search` for `relation`, within a span of time (ns, end excluded).
#[must_use]
pub fn compile(search: &Search, relation: &Relation, span: Option<(i64, i64)>) -> Compiled {
    let mut out = Compiled::default();
    let mut parts: Vec<String> = Vec::new();
    if let (Some((from_ns, to_ns)), Some((first, last))) = (span, relation.time) {
        parts.push(format!("{last} >= CAST(? AS BIGINT) AND {first} < CAST(? AS BIGINT)"));
        out.values.extend([from_ns.to_string(), to_ns.to_string()]);
    }
    for term in &search.terms {
        let columns: Vec<&'static str> =
            if term.key.is_empty() { relation.free.to_vec() } else { column(relation, &term.key).into_iter().collect() };
        if columns.is_empty() {
            out.foreign.push(term.key.clone());
            continue;
        }
        let alternatives: Vec<String> = columns.iter().map(|column| test(column, &term.test, &mut out.values)).collect();
        let not = if term.not { "NOT " } else { "" };
        parts.push(format!("{not}({})", alternatives.join(" OR ")));
    }
    out.condition = if parts.is_empty() { "1 = 1".to_owned() } else { parts.join(" AND ") };
    out.order = relation.order.to_owned();
    if let Some((key, descending)) = &search.sort {
        let sorted = if key == "time" { relation.time.map(|time| time.0) } else { column(relation, key) };
        match sorted {
            Some(column) => out.order = format!("{column}{}, {}", if *descending { " DESC" } else { "" }, relation.order),
            None => out.foreign.push(format!("sort:{key}")),
        }
    }
    out
}

fn column(relation: &Relation, key: &str) -> Option<&'static str> {
    relation.columns.iter().find(|(known, _)| *known == key).map(|(_, column)| *column)
}

fn test(column: &'static str, test: &Test, values: &mut Vec<String>) -> String {
    match test {
        Test::Any(patterns) => {
            let all: Vec<String> = patterns.iter().map(|pattern| one(column, pattern, values)).collect();
            all.join(" OR ")
        }
        Test::Range { low, low_open, high, high_open } => {
            let mut parts = Vec::new();
            if low.is_finite() {
                parts.push(format!("{column} {} CAST(? AS DOUBLE)", if *low_open { ">" } else { ">=" }));
                values.push(low.to_string());
            }
            if high.is_finite() {
                parts.push(format!("{column} {} CAST(? AS DOUBLE)", if *high_open { "<" } else { "<=" }));
                values.push(high.to_string());
            }
            if parts.is_empty() { "1 = 1".to_owned() } else { parts.join(" AND ") }
        }
    }
}

/// Texts are compared without regard to case, except where they are whole.
fn one(column: &'static str, pattern: &Pattern, values: &mut Vec<String>) -> String {
    if pattern.text.is_empty() && (pattern.open_start || pattern.open_end) {
        return "1 = 1".to_owned();
    }
    values.push(pattern.text.clone());
    match (pattern.open_start, pattern.open_end) {
        (false, false) => format!("{column} = ?"),
        (false, true) => format!("position(lower(?) IN lower({column})) = 1"),
        (true, true) => format!("position(lower(?) IN lower({column})) > 0"),
        (true, false) => {
            values.push(pattern.text.clone());
            format!("substring({column}, length({column}) - length(CAST(? AS VARCHAR)) + 1) = ?")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(text: &str, relation: &Relation) -> Compiled {
        compile(&Search::parse(text).unwrap(), relation, None)
    }

    #[test]
    fn every_value_is_a_parameter() {
        let hostile = "'; DROP TABLE x; --";
        let out = compile(&Search::default().with(false, "host", hostile).with(true, "", hostile), &SESSIONS, Some((1, 2)));
        assert!(!out.condition.contains("DROP") && !out.order.contains("DROP"));
        assert_eq!(out.condition.matches('?').count(), out.values.len());
        assert_eq!(out.values[..3], ["1".to_owned(), "2".to_owned(), hostile.to_owned()]);
    }

    #[test]
    fn keys_become_their_columns_and_foreign_ones_are_named() {
        let out = compiled("score:>0.8 -host:a ip:10.* sort:hits-desc", &SESSIONS);
        assert_eq!(out.condition, "(score > CAST(? AS DOUBLE)) AND NOT (host = ?) AND (position(lower(?) IN lower(src_ip)) = 1)");
        assert_eq!(out.values, ["0.8", "a", "10."]);
        assert!(out.order.starts_with("hits DESC, score DESC"));
        let out = compiled("score:>0.8 method:POST sort:score", &REQUESTS);
        assert_eq!(out.foreign, ["score", "sort:score"]);
        assert_eq!(out.condition, "(method = ?)");
    }

    #[test]
    fn nothing_asked_is_everything() {
        assert_eq!(compiled("", &SESSIONS).condition, "1 = 1");
        assert_eq!(compiled("host:*", &SESSIONS).condition, "(1 = 1)");
    }
}
