//! The configuration file (TOML): each key with the line it stands in.
//!
//! Promises: the first thing that is wrong, in the order of the file, is told with file, line, key and what is allowed.
//!
//! Read next: `keys.rs`.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::Config;
use crate::keys::{self, Value};

/// A file longer than this is no configuration.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Sets what the file says. The error is one sentence.
pub fn read(path: &Path, config: &mut Config) -> Result<(), String> {
    let failed = |error| format!("cannot read the configuration {}: {error}", path.display());
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(format!("the configuration {} has {bytes} bytes; allowed are {MAX_FILE_BYTES}", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    apply(&text, config).map_err(|(line, why)| format!("{}, line {line}: {why}", path.display()))
}

fn apply(text: &str, config: &mut Config) -> Result<(), (usize, String)> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (line(text, at), error.message().lines().collect::<Vec<_>>().join("; "))
    })?;
    apply_table(text, table.get_ref(), "", config)
}

fn apply_table(text: &str, table: &DeTable<'_>, prefix: &str, config: &mut Config) -> Result<(), (usize, String)> {
    let mut entries = table.iter().collect::<Vec<_>>();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let at = line(text, key.span().start);
        let name = format!("{prefix}{}", key.get_ref());
        if let (DeValue::Table(inner), "limits") = (value.get_ref(), name.as_str()) {
            apply_table(text, inner, "limits.", config)?;
            continue;
        }
        if keys::kind(&name).is_none() || name == "limits.NAME" {
            return Err((at, format!("there is no key `{name}`; allowed are {}", keys::names(prefix))));
        }
        let told = |why| (at, format!("`{name}`: {why}"));
        let value = convert(value.get_ref()).map_err(told)?;
        keys::set(config, &name, value).map_err(told)?;
    }
    Ok(())
}

fn convert(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::String(text) => Ok(Value::Text(text.clone().into_owned())),
        DeValue::Boolean(on) => Ok(Value::Switch(*on)),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed.map(Value::Number).map_err(|_| format!("{number} is too large a number"))
        }
        DeValue::Array(values) => {
            let texts = values.iter().map(|value| match value.get_ref() {
                DeValue::String(text) => Some(text.clone().into_owned()),
                _ => None,
            });
            let texts = texts.collect::<Option<Vec<_>>>();
            texts.map(Value::List).ok_or_else(|| "allowed is a list of texts such as [\"a\", \"b\"]".to_owned())
        }
        _ => Err("allowed are texts, whole numbers, true, false, and lists of texts".to_owned()),
    }
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (usize, String) {
        apply(text, &mut Config::default()).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_key() {
        let (line, why) = error("\ninterfaces = [\"eth0\"]\nsnaplen = 3\n");
        assert!(line == 3 && why.starts_with("there is no key `snaplen`; allowed are interfaces, read, bpf, "), "{line} {why}");
        let (line, why) = error("include = [\n  \"10.0.0.0/8\",\n  \"10.0.0.300\",\n]");
        assert!(line == 1 && why.starts_with("`include`: \"10.0.0.300\" is no network; allowed are"), "{line} {why}");
        let (line, why) = error("output = \"file\"\n[limits]\nflow = 3\n");
        assert!(line == 3 && why.starts_with("there is no key `limits.flow`; allowed are "), "{line} {why}");
        assert!(why.contains("flows"), "{why}");
        let (line, why) = error("interfaces = [\"eth0\"]\nbpf = tcp\n");
        assert!(line == 2 && !why.contains('\n'), "{line} {why}");
        assert_eq!(error("interfaces = \"eth0\""), (1, error("interfaces = \"eth0\"").1));
        assert!(error("interfaces = \"eth0\"").1.contains("a list of texts such as"));
    }

    #[test]
    fn the_shipped_example_is_valid_and_lists_every_key() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/sentinel.example.toml");
        let text = std::fs::read_to_string(path).unwrap();
        apply(&text, &mut Config::default()).unwrap();
        for key in &keys::KEYS {
            let name = key.name.strip_suffix("NAME").map_or(format!("{} = ", key.name), |_| "[limits]".to_owned());
            assert!(text.contains(&name), "{name} is not in the example");
        }
    }
}
