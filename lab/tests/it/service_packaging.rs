//! What is shipped beside the programs agrees with them: dashboard, alert rules, runbook, units, example settings, the API's page.
//!
//! Read next: `packaging/`, docs/RUNBOOK.md, docs/API.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ja4_lab::service::api::endpoints::ENDPOINTS;
use ja4_lab::service::metrics::NAMES;

use crate::support::lab_ok;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every word of `text` that begins with `prefix`.
fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with(prefix)).collect()
}

#[test]
fn dashboard_and_rules_name_only_exported_figures() {
    let exported: BTreeSet<&str> = NAMES.iter().map(|(name, _, _)| *name).collect();
    // The correlator's are those of its page.
    let page = read("docs/CORRELATOR.md");
    let known: BTreeSet<&str> = exported.union(&words(&page, "ja4_")).copied().collect();
    let dashboard: serde_json::Value = serde_json::from_str(&read("packaging/grafana.json")).unwrap();
    let expressions: Vec<String> = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap().clone())
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect();
    let expressions = expressions.join("\n");
    let rules = read("packaging/prometheus-rules.yml");
    for (text, from) in [(expressions.as_str(), "grafana.json"), (rules.as_str(), "prometheus-rules.yml")] {
        let named = words(text, "ja4_");
        assert!(named.len() > 5, "{from}: {named:?}");
        assert!(named.is_subset(&known), "{from}: {:?}", named.difference(&known));
    }
    assert_eq!(words(&expressions, "ja4_"), exported, "every exported figure is on the dashboard");
}

#[test]
fn the_runbook_knows_every_alert_and_no_other() {
    let rules = read("packaging/prometheus-rules.yml");
    let alerts: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let runbook = read("docs/RUNBOOK.md");
    let told: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("### Ja4")).map(|rest| rest.trim()).collect();
    assert_eq!(alerts.iter().map(|alert| alert.trim_start_matches("Ja4")).collect::<BTreeSet<_>>(), told);
    assert!(alerts.len() >= 8);
}

#[test]
fn the_page_of_the_api_names_every_list_filter_and_figure() {
    let page = read("docs/API.md");
    for endpoint in ENDPOINTS.iter() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", endpoint.name)));
        let row = row.unwrap_or_else(|| panic!("docs/API.md has no row for {}", endpoint.name));
        for filter in &endpoint.shape.filters {
            assert!(row.contains(filter.name), "{row}: filter {} is missing", filter.name);
        }
        for sort in &endpoint.shape.sorts {
            assert!(row.contains(sort), "{row}: sort key {sort} is missing");
        }
    }
    for (name, _, _) in NAMES {
        assert!(page.contains(name), "docs/API.md does not tell of {name}");
    }
}

#[test]
fn units_and_examples_use_flags_that_exist() {
    let help = lab_ok(&["detect", "--help"]);
    let example = read("packaging/detect.example.env");
    let unit = read("packaging/systemd/ja4-detect.service");
    let flags: BTreeSet<String> = example
        .lines()
        .filter(|line| line.starts_with("JA4_DETECT_FLAGS="))
        .chain(unit.lines().filter(|line| line.starts_with("ExecStart=")))
        .flat_map(|line| line.split([' ', '=']))
        .filter(|word| word.starts_with("--"))
        .map(str::to_owned)
        .collect();
    assert!(flags.len() >= 5, "{flags:?}");
    for flag in &flags {
        assert!(help.contains(flag.as_str()), "{flag} is no flag of detect");
    }
    let live = lab_ok(&["live", "--help"]);
    let example = read("packaging/live.example.env");
    let flags = example.lines().find_map(|line| line.strip_prefix("JA4_LIVE_FLAGS=")).unwrap();
    let flags: Vec<&str> = flags.split(' ').filter(|word| word.starts_with("--")).collect();
    assert!(flags.len() >= 3 && flags.iter().all(|flag| live.contains(flag)), "{flags:?}");
    for unit in ["ja4-sentinel", "ja4-correlator", "ja4-detect", "ja4-live"] {
        let text = read(&format!("packaging/systemd/{unit}.service"));
        for line in ["NoNewPrivileges=yes", "ProtectSystem=strict", "User=ja4", "SystemCallFilter=@system-service", "MemoryMax="]
        {
            assert!(text.contains(line), "{unit}: {line} is missing");
        }
    }
}

#[test]
fn who_follows_the_page_of_deployment_gives_every_unit_its_settings() {
    let page = read("docs/DEPLOYMENT.md");
    let made: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("cp "))
        .map(|line| {
            let mut words = line.split_whitespace();
            let (from, to) = (words.next().unwrap(), words.next().unwrap());
            assert!(root("packaging").join(from).exists(), "{from} is not shipped");
            to
        })
        .collect();
    for unit in ["ja4-sentinel", "ja4-correlator", "ja4-detect", "ja4-live"] {
        let text = read(&format!("packaging/systemd/{unit}.service"));
        let wanted = text.lines().find_map(|line| line.strip_prefix("ConditionPathExists=/etc/ja4-platform/")).unwrap();
        assert!(made.contains(wanted), "{unit} waits for {wanted}, which nobody is told to make");
        assert!(page.lines().any(|line| line.starts_with("systemctl enable") && line.contains(unit)), "{unit} is never started");
    }
    // Both programs of the larger kind of site talk of one store.
    let (writes, reads) = (read("packaging/correlator.example.toml"), read("packaging/detect.example.env"));
    let server = |text: &str| text.split("clickhouse://").nth(2).unwrap().split('@').nth(1).unwrap()[..14].to_owned();
    assert_eq!(server(&writes), server(&reads));
}

#[test]
fn every_page_that_a_page_links_to_is_there() {
    for page in ["docs/DETECT.md", "docs/API.md", "docs/DEPLOYMENT.md", "docs/RUNBOOK.md", "docs/SECURITY.md"] {
        let text = read(page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let target = root("docs").join(link.split('#').next().unwrap());
            assert!(target.exists(), "{page} links to {link}");
        }
    }
}
