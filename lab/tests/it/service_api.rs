//! The JSON interface against its own description: every path, filter, sort key and page, on real answers.
//!
//! Read next: `service.rs` (how the service is started).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::service::{Service, get, stored};

/// What `value` does wrong by `schema` (the part of JSON Schema that the description uses).
fn faults(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.is_null() && schema["nullable"] == true {
        return wrong;
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        other => panic!("{place}: a schema of type {other:?}"),
    };
    if !fits {
        wrong.push(format!("{place}: {value} is no {}", schema["type"]));
    }
    if let Some(object) = value.as_object() {
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                wrong.push(format!("{place}: {name} is missing"));
            }
        }
        for (name, part) in object {
            match properties.get(name) {
                Some(schema) => wrong.extend(faults(schema, part, &format!("{place}.{name}"))),
                None if schema["additionalProperties"] == false => wrong.push(format!("{place}: {name} is not described")),
                None => {}
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong.extend(faults(&schema["items"], item, &format!("{place}[{index}]")));
    }
    wrong
}

/// Checks the answer of `path` against `description`; gives it.
fn described(service: &Service, description: &Value, path: &str) -> Value {
    let answer = service.ok(path);
    let schema = &description["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    let wrong = faults(schema, &answer, path);
    assert!(wrong.is_empty(), "{wrong:#?}");
    answer
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[test]
fn every_answer_is_as_described() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(&stored(folder.path()), &["--every", "1h"], &[]);
    service.wait_for("cycle: ");
    let openapi = service.ok("/openapi.json");
    let mut lists = 0;
    for (path, description) in openapi["paths"].as_object().unwrap() {
        if path.ends_with("{address}") || path == "/metrics" || path == "/api/v1/blocklist" {
            continue;
        }
        let answer = described(&service, description, path);
        let parameters = description["get"]["parameters"].as_array().unwrap();
        let parameter = |name: &str| parameters.iter().find(|parameter| parameter["name"] == name);
        if parameter("limit").is_none() {
            continue;
        }
        lists += 1;
        for key in parameter("sort").map(|sort| sort["schema"]["enum"].as_array().unwrap().clone()).unwrap_or_default() {
            let key = key.as_str().unwrap();
            for order in ["asc", "desc"] {
                let sorted = described(&service, description, &format!("{path}?sort={key}&order={order}&limit=200"));
                let values: Vec<f64> = sorted["rows"].as_array().unwrap().iter().filter_map(|row| row[key].as_f64()).collect();
                let ordered = values.windows(2).all(|pair| if order == "asc" { pair[0] <= pair[1] } else { pair[0] >= pair[1] });
                assert!(ordered, "{path} by {key} {order}: {values:?}");
            }
        }
        filters(&service, description, path, parameters, &answer);
    }
    assert!(lists >= 16, "{lists}");
}

/// Each filter with a value that the first row has: only rows that have it come back, and the first is among them.
fn filters(service: &Service, description: &Value, path: &str, parameters: &[Value], answer: &Value) {
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap();
        let Some(first) = answer["rows"].get(0) else { continue };
        let column = match name {
            "ip" => "src_ip",
            "session" => "session_id",
            "campaign" => "campaign_id",
            "fleet" => "fleet_id",
            "min_score" => "score",
            other => other,
        };
        if matches!(name, "limit" | "offset" | "sort" | "order" | "from" | "to") || first.get(column).is_none() {
            continue;
        }
        let wanted = &first[column];
        // Readers of JSON do not give every double back to its last bit, so a least score is asked for with a little room.
        let least = wanted.as_f64().map(|score| score - 1e-9).filter(|_| name == "min_score");
        let value =
            least.map_or_else(|| wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned), |least| least.to_string());
        if name == "asn" && wanted.as_i64().unwrap() < 0 {
            continue;
        }
        let filtered = described(service, description, &format!("{path}?{name}={}&limit=1000", encoded(&value)));
        let rows = filtered["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{path}?{name}={value}");
        for row in rows {
            let fits = if least.is_some() { row[column].as_f64() >= least } else { row[column] == *wanted };
            assert!(fits || name == "ip", "{path}?{name}={value}: {row}");
        }
    }
}

#[test]
fn pages_are_stable_and_complete() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(&stored(folder.path()), &["--every", "1h"], &[]);
    service.wait_for("cycle: ");
    let all = service.ok("/api/v1/overview")["rows"][0]["sessions"].as_u64().unwrap();
    for sort in ["score", "hits", "win_ms"] {
        let (mut seen, mut offset) = (Vec::new(), 0);
        loop {
            let page = service.ok(&format!("/api/v1/sessions?sort={sort}&limit=7&offset={offset}"));
            let again = service.ok(&format!("/api/v1/sessions?sort={sort}&limit=7&offset={offset}&order=desc"));
            assert_eq!(page["rows"], again["rows"]);
            seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["session_id"].as_str().unwrap().to_owned()));
            match page["page"]["next_offset"].as_u64() {
                Some(next) => offset = next,
                None => break,
            }
        }
        let distinct: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(u64::try_from(seen.len()).unwrap(), all);
        assert_eq!(distinct.len(), seen.len(), "a session came twice");
    }
    // A time range takes all or nothing here: the set lies within two hours.
    assert!(service.ok("/api/v1/sessions?to=2020-01-01T00:00:00Z")["rows"].as_array().unwrap().is_empty());
    let first = service.ok("/api/v1/timeline?order=asc")["rows"][0]["win_ms"].as_i64().unwrap();
    assert!(first > 1_790_000_000_000);
}

#[test]
fn one_address_in_depth() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(&stored(folder.path()), &["--every", "1h"], &[]);
    service.wait_for("cycle: ");
    let openapi = service.ok("/openapi.json");
    let worst = service.ok("/api/v1/detections")["rows"][0].clone();
    let address = worst["src_ip"].as_str().unwrap();
    let description = &openapi["paths"]["/api/v1/address/{address}"];
    let depth = described(&service, description, &format!("/api/v1/address/{address}"));
    assert_eq!(depth["sessions"][0]["session_id"], worst["session_id"]);
    assert!(depth["summary"]["anomalies"].as_i64().unwrap() >= 1);
    assert!(!depth["requests"].as_array().unwrap().is_empty() && !depth["identities"].as_array().unwrap().is_empty());
    // Another way to write the same address.
    let other = if address.contains(':') { encoded(&address.to_uppercase()) } else { encoded(&format!("::ffff:{address}")) };
    let mapped = described(&service, description, &format!("/api/v1/address/{other}"));
    assert_eq!(mapped, depth);
    let unseen = described(&service, description, "/api/v1/address/203.0.113.77");
    assert_eq!(unseen["summary"]["sessions"], 0);
    assert_eq!(service.get("/api/v1/address/nobody").0, 400);
    let (status, list) = get(&format!("{}/api/v1/blocklist?min_severity=low", service.url));
    assert_eq!(status, 200);
    assert!(
        list.lines().count() > 3
            && list.lines().all(|line| line.split(" # ").next().unwrap().parse::<std::net::IpAddr>().is_ok())
    );
}

#[test]
fn bad_input_is_refused_with_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(&stored(folder.path()), &["--every", "1h"], &[]);
    service.wait_for("cycle: ");
    for (path, status, words) in [
        ("/api/v1/nothing", 404, "/api/v1/ with health"),
        ("/", 404, "there is no such path"),
        ("/api/v1/sessions?unknown=1", 400, "this path takes from, to, limit"),
        ("/api/v1/sessions?limit=1001", 400, "a whole number from 1 to 1000"),
        ("/api/v1/sessions?limit=0", 400, "a whole number from 1 to 1000"),
        ("/api/v1/sessions?offset=9999999", 400, "to 1000000"),
        ("/api/v1/sessions?sort=1%3Bdrop", 400, "it must be one of score"),
        ("/api/v1/sessions?ip=1.2.3", 400, "an IP address"),
        ("/api/v1/sessions?host=a%00b", 400, "NUL"),
        ("/api/v1/sessions?host=a&host=b", 400, "given twice"),
        ("/api/v1/sessions?from=2026-13-01T00:00:00Z", 400, "a time such as"),
        ("/api/v1/features?sort=name", 400, "this path takes limit, offset, family"),
        ("/health?x=1", 400, "takes nothing"),
        ("/api/v1/blocklist?format=xml", 400, "plain, ipset, crowdsec, apache"),
    ] {
        let (found, answer) = service.get(path);
        assert_eq!(found, status, "{path}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(words), "{path}: {answer}");
    }
    // Hostile texts are values like any other: no row has them, and nothing breaks.
    for hostile in [
        "'",
        "\"",
        "' OR '1'='1",
        "?",
        "%",
        "\\",
        "a\u{202e}b",
        "😀",
        "/*filters*/",
        "CAST(? AS BIGINT)",
        "\r\nX: y",
        "\u{1b}[31m",
    ] {
        for (list, name) in
            [("sessions", "host"), ("sessions", "ja4"), ("audit", "actor"), ("detections", "country"), ("fingerprints", "ja4")]
        {
            let answer = service.ok(&format!("/api/v1/{list}?{name}={}", encoded(hostile)));
            assert!(answer["rows"].as_array().unwrap().is_empty(), "{list}?{name}={hostile:?}: {answer}");
        }
    }
    let metrics = get(&format!("{}/metrics", service.url)).1;
    assert!(
        metrics.contains("ja4_lab_cycles_total{outcome=\"done\"} 1\n") && metrics.contains("{class=\"5xx\"} 0\n"),
        "{metrics}"
    );
}
