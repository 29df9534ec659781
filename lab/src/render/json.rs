//! A value of an answer as JSON: numbers bare, lists as arrays, records as objects.
//!
//! Promises: every value is one JSON value that a parser takes; what is no finite number is null; text is escaped as `json_text` does.
//!
//! Read next: `../render.rs`.

use std::sync::Arc;

use duckdb::arrow::array::{
    Array, BooleanArray, FixedSizeListArray, Float64Array, Int64Array, LargeListArray, ListArray, MapArray, StructArray,
};

use super::{is_null, json_text, plain_value};

/// The value in `row` of `column`.
pub(crate) fn json_value(column: &dyn Array, row: usize) -> String {
    if is_null(column, row) {
        return "null".to_owned();
    }
    let any = column.as_any();
    if let Some(values) = any.downcast_ref::<Int64Array>() {
        return values.value(row).to_string();
    }
    if let Some(values) = any.downcast_ref::<Float64Array>() {
        let value = values.value(row);
        return if value.is_finite() { serde_json::json!(value).to_string() } else { "null".to_owned() };
    }
    if let Some(values) = any.downcast_ref::<BooleanArray>() {
        return values.value(row).to_string();
    }
    if let Some(values) = any.downcast_ref::<StructArray>() {
        let fields = values.column_names().into_iter().zip(values.columns());
        return joined(fields.map(|(name, column)| format!("{}:{}", json_text(name), json_value(column, row))), ['{', '}']);
    }
    if let Some(values) = any.downcast_ref::<MapArray>() {
        let entries = values.value(row);
        let pair = |place| {
            let [key, value] = [0, 1].map(|part| entries.columns().get(part));
            let key = key.map_or_else(String::new, |column| plain_value(column, place));
            let value = value.map_or_else(|| "null".to_owned(), |column| json_value(column, place));
            format!("{}:{value}", json_text(&key))
        };
        return joined((0..entries.len()).map(pair), ['{', '}']);
    }
    match list(column, row) {
        Some(items) => joined((0..items.len()).map(|place| json_value(&items, place)), ['[', ']']),
        None => {
            let text = plain_value(column, row);
            // Single precision knows values that JSON does not.
            let number = column.data_type().is_numeric() && !matches!(text.as_str(), "NaN" | "inf" | "-inf");
            if number { text } else { json_text(&text) }
        }
    }
}

fn list(column: &dyn Array, row: usize) -> Option<Arc<dyn Array>> {
    let any = column.as_any();
    let short = any.downcast_ref::<ListArray>().map(|values| values.value(row));
    let long = || any.downcast_ref::<LargeListArray>().map(|values| values.value(row));
    let fixed = || any.downcast_ref::<FixedSizeListArray>().map(|values| values.value(row));
    short.or_else(long).or_else(fixed)
}

fn joined(parts: impl Iterator<Item = String>, [open, close]: [char; 2]) -> String {
    format!("{open}{}{close}", parts.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use duckdb::arrow::array::{ArrayRef, NullArray, StringArray};
    use duckdb::arrow::datatypes::{Field, Int64Type};

    use super::*;

    #[test]
    fn lists_and_records_are_json_and_null_is_null() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
        assert_eq!((json_value(&list, 0), json_value(&list, 1)), ("[1,null]".to_owned(), "null".to_owned()));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a\"b"]));
        let field = Field::new("k\"", text.data_type().clone(), true);
        let record = StructArray::from(vec![(Arc::new(field), text)]);
        assert_eq!(json_value(&record, 0), r#"{"k\"":"a\"b"}"#);
        assert_eq!(json_value(&NullArray::new(1), 0), "null");
        let found: serde_json::Value = serde_json::from_str(&json_value(&record, 0)).unwrap();
        assert_eq!(found["k\""], "a\"b");
    }
}
