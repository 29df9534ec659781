//! Rules as rows of `ref_rules_anubis`: one row per condition, rows of one position are one rule.
//!
//! Promises: saving replaces the earlier policy as a whole; what is loaded is what was saved.
//!
//! Read next: `sql/shared/queries/rules.sql`.

use std::collections::BTreeSet;
use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use ja4_replay::store::{Statement, Store, TableName};

use super::{Action, Condition, KINDS, Rule};
use crate::error::LabError;
use crate::frame::FeatureFrame;

const RULES: Statement = Statement::shared(include_str!("../../../sql/shared/queries/rules.sql"));
const TABLE: TableName = TableName { schema: "ja4_processing", table: "ref_rules_anubis" };

/// The stored policy, in order; empty if none was imported.
///
/// # Errors
/// The engine's refusal.
pub fn load(store: &dyn Store) -> Result<Vec<Rule>, LabError> {
    let rows = FeatureFrame::from_batches(&store.ask(&RULES, &[])?)?;
    if rows.sessions() == 0 {
        return Ok(Vec::new());
    }
    let (positions, weights) = (rows.int("position")?, rows.int("weight")?);
    let (names, actions) = (rows.text("name")?, rows.text("action")?);
    let (kinds, fields, patterns) = (rows.text("kind")?, rows.text("field")?, rows.text("pattern")?);
    let mut rules: Vec<(i64, Rule)> = Vec::new();
    let conditions = kinds.iter().zip(fields).zip(patterns);
    for (((position, weight), (name, action)), ((kind, field), pattern)) in
        positions.into_iter().zip(weights).zip(names.into_iter().zip(actions)).zip(conditions)
    {
        let known = KINDS.iter().find(|known| *known == kind).copied();
        let (Some(action), Some(kind)) = (Action::from_name(&action), known) else {
            return Err(LabError::Ask(format!(
                "rules: the stored rule {name:?} has an unknown action or kind; import the policy again"
            )));
        };
        let condition = Condition { kind, field, pattern };
        match rules.last_mut() {
            Some((last, rule)) if *last == position => rule.conditions.push(condition),
            _ => rules.push((position, Rule { name, action, weight, conditions: vec![condition] })),
        }
    }
    Ok(rules.into_iter().map(|(_, rule)| rule).collect())
}

/// Stores `rules` instead of the policy that was there; `source` is the name of their file.
///
/// # Errors
/// The engine's refusal; then the earlier policy stays.
pub fn save(store: &dyn Store, rules: &[Rule], source: &str) -> Result<(), LabError> {
    let before = FeatureFrame::from_batches(&store.ask(&RULES, &[])?)?;
    let mut sources: BTreeSet<String> =
        if before.sessions() == 0 { BTreeSet::new() } else { before.text("source")?.into_iter().collect() };
    sources.insert(source.to_owned());
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let rows: Vec<(i64, &Rule, &Condition)> = (1..)
        .zip(rules)
        .flat_map(|(position, rule)| rule.conditions.iter().map(move |condition| (position, rule, condition)))
        .collect();
    let text = |pick: fn(&(i64, &Rule, &Condition)) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(pick(row))).collect::<StringArray>())
    };
    let int =
        |pick: fn(&(i64, &Rule, &Condition)) -> i64| -> ArrayRef { Arc::new(rows.iter().map(pick).collect::<Int64Array>()) };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("position", int(|row| row.0)),
        ("name", text(|row| row.1.name.clone())),
        ("kind", text(|row| row.2.kind.to_owned())),
        ("field", text(|row| row.2.field.clone())),
        ("pattern", text(|row| row.2.pattern.clone())),
        ("action", text(|row| row.1.action.as_str().to_owned())),
        ("weight", int(|row| row.1.weight)),
        ("source", Arc::new(rows.iter().map(|_| Some(source)).collect::<StringArray>())),
    ];
    let batch = RecordBatch::try_from_iter(columns).map_err(|error| LabError::Features(error.to_string()))?;
    Ok(store.replace(TABLE, "source", &sources, Some(batch))?)
}
