//! Reading a policy file: YAML to rules, and a sentence for everything that is not applied.
//!
//! Promises: a rule that holds a part this program cannot judge is skipped whole, because the rest of it would match more than
//! its author meant; a file that is no policy is refused.
//!
//! Read next: `decide.rs`. Format: <https://anubis.techaro.lol/docs/admin/policies>

use serde_json::{Map, Value};

use super::decide::{Range, pattern};
use super::{Action, Condition, HEADERS, Rule};

/// Rules of a file.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// In the order of the file.
    pub rules: Vec<Rule>,
    /// What was left out, and why; each a sentence.
    pub skipped: Vec<String>,
}

/// Parts of a rule that change how it acts, not whom it meets.
const HARMLESS: [&str; 4] = ["name", "action", "weight", "challenge"];

/// Reads the text of a policy file.
///
/// # Errors
/// Text that is no YAML, or has no list `bots`: one sentence without the file's name.
pub fn parse(text: &str) -> Result<Policy, String> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.to_string().lines().next().unwrap_or_default().to_owned();
        format!("it is no YAML that can be read: {line}")
    })?;
    let list = value.get("bots").and_then(Value::as_array);
    let Some(list) = list else { return Err("it has no list `bots`, so it is no Anubis policy".to_owned()) };
    let mut policy = Policy::default();
    for (place, entry) in list.iter().enumerate() {
        match rule(place + 1, entry) {
            Ok(rule) => policy.rules.push(rule),
            Err(reason) => policy.skipped.push(reason),
        }
    }
    for key in value.as_object().into_iter().flat_map(Map::keys).filter(|key| *key != "bots") {
        policy.skipped.push(format!("section {key:?} was left out: only the rules under `bots` are applied"));
    }
    Ok(policy)
}

fn rule(number: usize, entry: &Value) -> Result<Rule, String> {
    let Some(parts) = entry.as_object() else { return Err(format!("rule {number} was skipped: it is not a mapping")) };
    if let Some(source) = parts.get("import") {
        return Err(format!("rule {number} was skipped: it imports {}; import that file's rules by themselves", shown(source)));
    }
    let name = parts.get("name").and_then(Value::as_str).map_or_else(|| format!("rule {number}"), str::to_owned);
    let skip = |why: String| format!("rule {name:?} was skipped: {why}");
    let action = parts.get("action").and_then(Value::as_str).unwrap_or_default();
    let action = Action::from_name(action)
        .ok_or_else(|| skip(format!("its action {action:?} is none of ALLOW, DENY, CHALLENGE, WEIGH")))?;
    let mut conditions = Vec::new();
    for (key, value) in parts {
        match key.as_str() {
            key if HARMLESS.contains(&key) => {}
            "user_agent_regex" => conditions.push(regex("user_agent", "", value).map_err(skip)?),
            "path_regex" => conditions.push(regex("path", "", value).map_err(skip)?),
            "headers_regex" => conditions.extend(headers(value).map_err(skip)?),
            "remote_addresses" => conditions.extend(list("ip", value, address).map_err(skip)?),
            "asns" => conditions.extend(list("asn", value.get("match").unwrap_or(&Value::Null), number_of).map_err(skip)?),
            "geoip" => {
                conditions.extend(list("country", value.get("countries").unwrap_or(&Value::Null), country).map_err(skip)?);
            }
            "expression" => return Err(skip("it holds an expression, which is not evaluated here".to_owned())),
            other => return Err(skip(format!("its part {other:?} is not known, and without it the rule would match too much"))),
        }
    }
    if conditions.is_empty() {
        return Err(skip("it has no condition that is known".to_owned()));
    }
    let weight = parts.get("weight").and_then(|weight| weight.get("adjust")).and_then(Value::as_i64);
    match (action, weight) {
        (Action::Weigh, None) => Err(skip("it weighs, but gives no whole number as weight.adjust".to_owned())),
        (Action::Weigh, Some(weight)) => Ok(Rule { name, action, weight: weight.clamp(-1_000_000, 1_000_000), conditions }),
        _ => Ok(Rule { name, action, weight: 0, conditions }),
    }
}

fn regex(kind: &'static str, field: &str, value: &Value) -> Result<Condition, String> {
    let Some(text) = value.as_str() else { return Err(format!("its pattern for {kind} is not a text")) };
    pattern(text).map_err(|why| format!("its pattern {text:?} is no regular expression: {why}"))?;
    Ok(Condition { kind, field: field.to_owned(), pattern: text.to_owned() })
}

fn headers(value: &Value) -> Result<Vec<Condition>, String> {
    let Some(map) = value.as_object() else { return Err("its headers_regex is not a mapping".to_owned()) };
    let one = |(name, value): (&String, &Value)| {
        let field = name.to_ascii_lowercase();
        if !HEADERS.contains(&field.as_str()) {
            return Err(format!("the value of the header {name:?} is not stored"));
        }
        regex("header", &field, value)
    };
    map.iter().map(one).collect()
}

fn list(kind: &'static str, value: &Value, check: fn(&Value) -> Option<String>) -> Result<Vec<Condition>, String> {
    let entries = value.as_array().filter(|entries| !entries.is_empty());
    let Some(entries) = entries else { return Err(format!("its list of {kind} values is missing or empty")) };
    let one = |entry: &Value| {
        let pattern = check(entry).ok_or_else(|| format!("{} is no {kind} value", shown(entry)))?;
        Ok(Condition { kind, field: String::new(), pattern })
    };
    entries.iter().map(one).collect()
}

fn address(value: &Value) -> Option<String> {
    value.as_str().filter(|text| Range::parse(text).is_some()).map(str::to_owned)
}

fn number_of(value: &Value) -> Option<String> {
    value.as_u64().map(|number| number.to_string())
}

fn country(value: &Value) -> Option<String> {
    value.as_str().filter(|text| text.len() == 2 && text.is_ascii()).map(str::to_ascii_uppercase)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("{text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_condition_is_read_and_what_is_not_understood_is_named() {
        let policy = parse(
            r#"
bots:
  - name: probes
    path_regex: ^/(\.git|\.env)
    action: DENY
  - name: feed readers
    user_agent_regex: FeedReader
    remote_addresses: ["192.0.2.0/24", "2001:db8::1"]
    action: allow
  - name: far away
    geoip: { countries: [br, CN] }
    asns: { match: [64500] }
    action: WEIGH
    weight: { adjust: 7 }
  - name: plain requests
    headers_regex: { Accept: '^\*/\*$' }
    action: CHALLENGE
    challenge: { difficulty: 4 }
  - import: (data)/bots/ai.yaml
  - name: clever
    expression: 'userAgent.contains("x")'
    action: DENY
  - name: worker
    headers_regex: { CF-Worker: '.*' }
    action: DENY
  - name: broken
    path_regex: '('
    action: DENY
  - name: vague
    path_regex: x
    action: BLOCK
dnsbl: false
"#,
        )
        .unwrap();
        let names: Vec<&str> = policy.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["probes", "feed readers", "far away", "plain requests"]);
        assert_eq!(policy.rules[1].conditions.len(), 3);
        assert_eq!((policy.rules[2].action, policy.rules[2].weight), (Action::Weigh, 7));
        assert_eq!(policy.rules[2].conditions[1].pattern, "BR");
        let told = policy.skipped.join("\n");
        for part in [
            "imports \"(data)/bots/ai.yaml\"",
            "\"clever\" was skipped: it holds an expression",
            "header \"CF-Worker\" is not stored",
            "\"broken\" was skipped: its pattern \"(\"",
            "action \"BLOCK\"",
            "section \"dnsbl\"",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        assert!(parse("just text").unwrap_err().contains("no list `bots`"));
        assert!(parse("bots: [\n").unwrap_err().starts_with("it is no YAML"));
        assert!(parse("bots: []").unwrap().rules.is_empty());
        // Nesting and aliases are bounded by the reader.
        assert!(parse(&format!("bots: {}1{}", "[".repeat(100_000), "]".repeat(100_000))).is_err());
    }
}
