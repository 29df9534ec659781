//! What every view obeys: the search, the span of time, and what is being looked into.
//!
//! Promises: a text that is no search changes nothing but the sentence below it; the same scope asks the same questions.
//!
//! Read next: `search.rs`, `compile.rs`.

use super::compile::{Compiled, Relation, compile};
use super::search::{Search, SearchError};

/// The scope.
#[derive(Debug, Default)]
pub struct Scope {
    /// What stands in the search field.
    pub text: String,
    /// The last text that was a search.
    pub search: Search,
    /// Why the text is none.
    pub error: Option<SearchError>,
    /// Time that is looked at, ns, end excluded; nothing is all.
    pub span: Option<(i64, i64)>,
    /// Time that the database covers, ns, both ends.
    pub range: Option<(i64, i64)>,
    /// Address that is looked into.
    pub ip: String,
    /// Session that is looked into; empty is the worst of the address.
    pub session: String,
}

impl Scope {
    /// Takes the text of the field.
    pub fn apply(&mut self) {
        match Search::parse(&self.text) {
            Ok(search) => {
                self.search = search;
                self.error = None;
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Replaces the search.
    pub fn set(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.apply();
    }

    /// Adds a condition.
    pub fn filter(&mut self, not: bool, key: &str, value: &str) {
        self.text = self.search.clone().with(not, key, value).to_string();
        self.apply();
    }

    /// The search and span for a table.
    #[must_use]
    pub fn compile(&self, relation: &Relation) -> Compiled {
        compile(&self.search, relation, self.span)
    }

    /// The span alone, and everything where none is set; for statements that bound their time themselves.
    #[must_use]
    pub fn bounds(&self) -> (String, String) {
        let (from, to) = self.span.unwrap_or((0, i64::MAX));
        (from.to_string(), to.to_string())
    }
}

/// Key of the search language for a column of any table.
#[must_use]
pub fn key_of(column: &str) -> Option<&'static str> {
    Some(match column {
        "src_ip" | "client_ip" => "ip",
        "ja4" => "ja4",
        "host" => "host",
        "user_agent" => "ua",
        "ua_family" => "family",
        "severity" => "severity",
        "score" => "score",
        "anomaly" => "anomaly",
        "model_kind" => "model",
        "session_id" => "session",
        "hits" => "hits",
        "label" => "label",
        "country" => "country",
        "asn" => "asn",
        "as_name" => "as",
        "method" => "method",
        "path" => "path",
        "status" => "status",
        "match_kind" => "match",
        "kind" => "kind",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_text_keeps_the_last_search() {
        let mut scope = Scope::default();
        scope.set("host:a");
        let before = scope.search.clone();
        scope.set("host:a sco");
        scope.set("score:x");
        assert!(scope.error.is_some());
        assert_ne!(scope.search, Search::default());
        scope.set("host:a");
        assert_eq!((scope.search.clone(), scope.error.is_none()), (before, true));
        scope.filter(true, "ip", "192.0.2.1");
        assert_eq!(scope.text, "host:a -ip:192.0.2.1");
    }
}
