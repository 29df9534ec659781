//! Analysts' classifications: which target each names, and what holds for a session now.
//!
//! Promises: of two rows about the same target the newer counts; a withdrawn one (-1) leaves nothing; a session's own row counts
//! before one about its address, its User-Agent or its JA4; of several targets of one session the narrowest counts.
//!
//! Read next: `mod.rs`, table `soc_feedback` in `sql/duckdb/0001_init.sql`.

use std::collections::BTreeMap;

use ja4_replay::store::{Statement, Store};

use crate::error::LabError;
use crate::frame::FeatureFrame;

const FEEDBACK: Statement = Statement::shared(include_str!("../../../sql/shared/queries/feedback.sql"));

/// What a row is about: session, address, JA4, host, User-Agent; empty means any.
type Target = [String; 5];

/// The classifications that hold.
#[derive(Debug, Clone, Default)]
pub struct Feedback {
    /// By session id.
    sessions: BTreeMap<String, bool>,
    /// Everything wider than a session; the id is empty.
    wider: BTreeMap<Target, bool>,
}

/// Reads what analysts decided.
///
/// # Errors
/// The engine's refusal.
pub fn read(store: &dyn Store) -> Result<Feedback, LabError> {
    let rows = FeatureFrame::from_batches(&store.ask(&FEEDBACK, &[])?)?;
    let mut feedback = Feedback::default();
    if rows.sessions() == 0 {
        return Ok(feedback);
    }
    let (kinds, labels) = (rows.text("target_kind")?, rows.int("label")?);
    let mut fields = Vec::new();
    for name in ["session_id", "src_ip", "ja4", "host", "user_agent"] {
        fields.push(rows.text(name)?);
    }
    for (row, (kind, label)) in kinds.iter().zip(labels).enumerate() {
        let values: Vec<&str> = fields.iter().map(|column| column.get(row).map_or("", String::as_str)).collect();
        feedback.add(kind, &values, label);
    }
    Ok(feedback)
}

impl Feedback {
    /// Takes the next row; `values` are session, address, JA4, host and User-Agent.
    fn add(&mut self, kind: &str, values: &[&str], label: i64) {
        let used: &[usize] = match kind {
            "session" => &[0],
            "ip" | "src_ip" | "address" => &[1],
            "ja4" => &[2],
            "host" => &[3],
            "user_agent" => &[4],
            // A kind of a later version: everything it names must hold.
            _ => &[1, 2, 3, 4],
        };
        let mut target: Target = Default::default();
        for place in used {
            if let (Some(slot), Some(value)) = (target.get_mut(*place), values.get(*place)) {
                (*value).clone_into(slot);
            }
        }
        if target.iter().all(String::is_empty) {
            return;
        }
        let [id, ..] = &target;
        let wider = id.is_empty();
        match (label, wider) {
            (0 | 1, true) => self.wider.insert(target, label == 1),
            (0 | 1, false) => self.sessions.insert(id.clone(), label == 1),
            (_, true) => self.wider.remove(&target),
            (_, false) => self.sessions.remove(id),
        };
    }

    /// What holds for a session: true for a bot, false for a legitimate client.
    #[must_use]
    pub fn of(&self, session_id: &str, src_ip: &str, ja4: &str, host: &str, user_agent: &str) -> Option<bool> {
        if let Some(bot) = self.sessions.get(session_id) {
            return Some(*bot);
        }
        let values = ["", src_ip, ja4, host, user_agent];
        let meets = |target: &Target| target.iter().zip(values).all(|(wanted, value)| wanted.is_empty() || wanted == value);
        // The most fields, then address before JA4 before host before User-Agent.
        let rank = |target: &Target| {
            let named = target.iter().filter(|field| !field.is_empty()).count();
            let first = target.iter().position(|field| !field.is_empty()).unwrap_or(target.len());
            (named, std::cmp::Reverse(first))
        };
        // A handful of wider targets a day: a walk over them is nothing beside the features.
        self.wider.iter().filter(|(target, _)| meets(target)).max_by_key(|(target, _)| rank(target)).map(|(_, bot)| *bot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_row_of_a_target_counts_and_a_session_before_its_address() {
        let mut feedback = Feedback::default();
        let of = |feedback: &Feedback| feedback.of("s1", "192.0.2.1", "t13", "a.example", "Mozilla");
        assert_eq!(of(&feedback), None);
        feedback.add("ip", &["", "192.0.2.1", "", "", ""], 1);
        assert_eq!(of(&feedback), Some(true));
        feedback.add("session", &["s1", "192.0.2.1", "", "", ""], 0);
        assert_eq!(of(&feedback), Some(false));
        feedback.add("session", &["s1", "", "", "", ""], -1);
        assert_eq!(of(&feedback), Some(true));
        feedback.add("ip", &["", "192.0.2.1", "", "", ""], -1);
        assert_eq!(of(&feedback), None);
        // A row that names nothing is about nothing.
        feedback.add("ip", &["", "", "", "", ""], 1);
        assert_eq!(of(&feedback), None);
    }

    #[test]
    fn the_narrower_target_counts() {
        let mut feedback = Feedback::default();
        feedback.add("user_agent", &["", "", "", "", "Mozilla"], 1);
        feedback.add("client", &["", "192.0.2.1", "t13", "", ""], 0);
        assert_eq!(feedback.of("s", "192.0.2.1", "t13", "h", "Mozilla"), Some(false));
        assert_eq!(feedback.of("s", "192.0.2.2", "t13", "h", "Mozilla"), Some(true));
    }
}
