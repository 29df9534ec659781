//! What a view can ask: a statement of `sql/` with a search put into it, a text that a person typed, or a computation of the lab.
//!
//! Promises: only constants and parameters become SQL; two equal questions are one question, so nothing is asked twice; every
//! question can be shown as text that the SQL console and `ja4-lab sql` accept.
//!
//! Read next: `statements.rs` (the texts), `worker.rs` (who answers).

use std::path::PathBuf;

use ja4_replay::store::Engine;

use crate::shell::compile::Compiled;

/// A statement of `sql/`, by name, in the text of each engine.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// Name of its file.
    pub name: &'static str,
    /// For DuckDB.
    pub duckdb: &'static str,
    /// For ClickHouse.
    pub clickhouse: &'static str,
}

impl PartialEq for Sql {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// A statement of ours.
    Statement {
        /// Which.
        sql: Sql,
        /// Values of the statement's own parameters, which stand before the condition.
        values: Vec<String>,
        /// What the search adds.
        filter: Compiled,
        /// Rows at most.
        limit: usize,
    },
    /// What a person typed; run where nothing can be changed.
    Typed(String),
    /// The whole way of one session in text, as `ja4-lab explain` prints it.
    Explain {
        /// Session id, or
        session: Option<String>,
        /// an address, whose worst session is taken.
        ip: Option<String>,
    },
    /// How each feature is distributed among people and among anomalous sessions.
    Features,
    /// What models are made of: every session with its features and labels.
    Workshop,
    /// What one session, by its id, needs to be tried on.
    Stage(String),
    /// Sessions on a map of two dimensions, made of their features.
    Map,
    /// What is new, gone or changed between two spans, ns, end excluded.
    Compare {
        /// Then.
        then: (i64, i64),
        /// Now.
        now: (i64, i64),
        /// One of `ja4_lab::compare::ASPECTS` by name; empty is all of them.
        aspect: &'static str,
    },
    /// What each imported policy rule would have done with everything stored.
    RulesTested,
    /// The versions of models kept beside this database.
    Registry(PathBuf),
    /// Two versions side by side: whose rank changed, and which feature did it.
    ModelDiff {
        /// The database whose registry holds them.
        db: PathBuf,
        /// First version.
        first: String,
        /// Second version.
        second: String,
    },
    /// The packets of one connection.
    Packets {
        /// Captures that it may be in.
        captures: Vec<PathBuf>,
        /// The client's address and port.
        client: String,
        /// Around this time, ns.
        at_ns: i64,
    },
}

impl Ask {
    /// A statement without a search.
    #[must_use]
    pub fn plain(sql: Sql, values: &[&str], limit: usize) -> Self {
        let filter = Compiled { condition: "1 = 1".to_owned(), ..Compiled::default() };
        Self::Statement { sql, values: values.iter().map(|value| (*value).to_owned()).collect(), filter, limit }
    }

    /// A statement with a compiled search.
    #[must_use]
    pub fn searched(sql: Sql, values: &[&str], filter: Compiled, limit: usize) -> Self {
        Self::Statement { sql, values: values.iter().map(|value| (*value).to_owned()).collect(), filter, limit }
    }

    /// Whether it reads every session with every feature, so that it is not asked again at each look at a growing database.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        matches!(
            self,
            Self::Workshop
                | Self::Stage(_)
                | Self::Features
                | Self::Map
                | Self::RulesTested
                | Self::Compare { .. }
                | Self::ModelDiff { .. }
        )
    }

    /// The text for an engine, with `?` for the values, and the values in order.
    #[must_use]
    pub fn text(&self, engine: Engine) -> Option<(String, Vec<String>)> {
        let Self::Statement { sql, values, filter, limit } = self else { return None };
        let text = if engine == Engine::DuckDb { sql.duckdb } else { sql.clickhouse };
        let uses = text.matches(CONDITION).count();
        let order = if filter.order.is_empty() { None } else { Some(filter.order.as_str()) };
        let mut text = text.replace(CONDITION, &filter.condition).replace(LIMIT, &limit.to_string());
        if let (Some(order), Some(at)) = (order, text.find(ORDER)) {
            let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| at + length);
            text.replace_range(at..end, order);
        }
        let mut all = values.clone();
        for _ in 0..uses {
            all.extend(filter.values.iter().cloned());
        }
        Some((text, all))
    }

    /// The question as SQL with its values written in, for people to read, copy and change.
    #[must_use]
    pub fn shown(&self, engine: Engine) -> String {
        if let Self::Typed(text) = self {
            return text.clone();
        }
        let Some((text, values)) = self.text(engine) else {
            return "-- computed by the lab; `ja4-lab explain`, `compare`, `features`, `rehearse`, `rules test`, `model` and `packets` print the same"
                .to_owned();
        };
        let mut shown = String::with_capacity(text.len());
        let mut values = values.iter();
        for c in text.chars() {
            match (c, if c == '?' { values.next() } else { None }) {
                ('?', Some(value)) => shown.push_str(&literal(value)),
                (c, _) => shown.push(c),
            }
        }
        shown
    }
}

/// A value as an SQL literal.
fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

const CONDITION: &str = "/*condition*/ 1 = 1";
const LIMIT: &str = "/*limit*/ 1000";
const ORDER: &str = "/*order*/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::statements;
    use crate::shell::compile::{SESSIONS, compile};
    use crate::shell::search::Search;

    #[test]
    fn a_search_is_put_into_its_three_places() {
        let search = Search::parse("host:\"o'brien\" sort:hits-desc").unwrap();
        let ask = Ask::searched(statements::SESSIONS, &[], compile(&search, &SESSIONS, Some((1, 2))), 7);
        let (text, values) = ask.text(Engine::DuckDb).unwrap();
        assert!(text.contains("ORDER BY hits DESC, score DESC") && text.contains("LIMIT 7"), "{text}");
        assert_eq!(text.matches('?').count(), values.len());
        assert_eq!(values, ["1", "2", "o'brien"]);
        assert!(ask.shown(Engine::DuckDb).contains("host = 'o''brien'"));
    }

    #[test]
    fn every_statement_is_commented_and_its_marks_are_whole() {
        for sql in statements::ALL {
            assert!(sql.duckdb.starts_with("-- "), "{}", sql.name);
            for mark in ["condition", "limit", "order"] {
                let marks = sql.duckdb.matches(&format!("/*{mark}*/")).count();
                let whole = match mark {
                    "condition" => CONDITION,
                    "limit" => LIMIT,
                    _ => ORDER,
                };
                assert_eq!(sql.duckdb.matches(whole).count(), marks, "{}: {mark}", sql.name);
            }
            assert!(!sql.duckdb.lines().filter(|line| line.starts_with("--")).any(|line| line.contains('?')), "{}", sql.name);
        }
    }
}
