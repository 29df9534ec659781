//! Experiments from outside: the same on any number of threads and when run again, different when anything was changed, and a report that
//! nothing hostile gets through.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ja4_lab::experiment::tables::{Committed, rewritten};

use crate::support::{lab, lab_fails, lab_ok, text};

const PLAN: &str = "name = \"quick\"\nquestion = \"Is it the same?\"\nkind = \"voices\"\ndata = [{ recorded = \"site-small\" }]\n\
                    folds = 2\ntrees = 20\nbootstrap = 20\nfamilies = [\"rhythm\", \"tls\"]\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn ran(folder: &Path, plan: &str, name: &str, more: &[&str]) -> (PathBuf, serde_json::Value) {
    let file = folder.join("plan.toml");
    std::fs::write(&file, plan).unwrap();
    let target = folder.join(name);
    let mut arguments = vec!["experiment", "run", text(&file), "-o", text(&target)];
    arguments.extend_from_slice(more);
    lab_ok(&arguments);
    let manifest = serde_json::from_str(&std::fs::read_to_string(target.join("manifest.json")).unwrap()).unwrap();
    (target, manifest)
}

#[test]
fn threads_do_not_change_a_result_and_a_repetition_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (one, first) = ran(folder.path(), PLAN, "one", &["--threads", "1"]);
    let (two, second) = ran(folder.path(), PLAN, "two", &["--threads", "2"]);
    for digest in ["metrics_digest", "predictions_digest", "data", "plan_sha256"] {
        assert_eq!(first[digest], second[digest], "{digest}");
    }
    assert!(first["predictions"].as_u64().unwrap() > 200, "{first}");
    for file in ["experiment.toml", "metrics.json", "predictions.parquet", "figures/auroc-0.svg", "report.html"] {
        let read = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert!(file == "report.html" || read(&one) == read(&two), "{file} differs between one and two threads");
    }
    let compared = lab_ok(&["experiment", "compare", text(&one), text(&two)]);
    assert!(compared.contains("2 runs do not differ"), "{compared}");
    let again = lab_ok(&["experiment", "repro", text(&one)]);
    assert!(again.lines().all(|line| line.starts_with("same")), "{again}");

    // A changed number is noticed by reading, a consistent forgery by repeating.
    let metrics = std::fs::read_to_string(one.join("metrics.json")).unwrap();
    let value = metrics.find("\"value\":0.").unwrap() + 10;
    let mut forged = metrics.clone();
    forged.replace_range(value..=value, if &metrics[value..=value] == "1" { "2" } else { "1" });
    std::fs::write(one.join("metrics.json"), &forged).unwrap();
    assert!(lab_fails(&["experiment", "repro", text(&one)]).contains("one of them was changed"));
    let values: Vec<ja4_lab::experiment::outcome::Value> = serde_json::from_str(&forged).unwrap();
    let digest = ja4_lab::experiment::outcome::metrics_digest(&values);
    let manifest = std::fs::read_to_string(one.join("manifest.json")).unwrap();
    std::fs::write(one.join("manifest.json"), manifest.replace(first["metrics_digest"].as_str().unwrap(), &digest)).unwrap();
    let output = lab(&["experiment", "repro", text(&one)]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told.lines().filter(|line| line.starts_with("different")).count(), 1, "{told}");

    // Another seed is another result, and the comparison shows only what differs.
    let (other, _) = ran(folder.path(), &format!("{PLAN}seeds = [9]\n"), "other", &[]);
    let compared = lab_ok(&["experiment", "compare", text(&two), text(&other)]);
    assert!(compared.contains("plan") && compared.contains("auroc") && !compared.contains("version"), "{compared}");
}

#[test]
fn a_slip_in_a_plan_is_told_and_nothing_remains() {
    let folder = tempfile::tempdir().unwrap();
    for (old, new, part) in [
        ("voices", "choirs", "line 3: kind: unknown variant `choirs`"),
        ("site-small", "site-smal", "site-smal"),
        ("folds = 2", "folds = 200", "folds: 200 is out of range; allowed are whole numbers from 2 to 20"),
        ("\"rhythm\"", "\"rythm\"", "there is no family \"rythm\"; there are"),
        ("{ recorded", "{ rows_digest = \"00\", recorded", "the plan wants 00"),
    ] {
        let file = folder.path().join("plan.toml");
        std::fs::write(&file, PLAN.replacen(old, new, 1)).unwrap();
        let message = lab_fails(&["experiment", "run", text(&file), "-o", text(&folder.path().join("out"))]);
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(lab_fails(&["experiment", "repro", text(folder.path())]).contains("manifest.json"));
}

#[test]
fn a_report_is_one_file_that_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("hostile.duckdb");
    // One client that sends markup as its User-Agent, host and path, and an unscored database.
    let log = folder.path().join("hostile.jsonl");
    let evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\\\"'&";
    let line = |second: u32| {
        format!(
            "{{\"v\":1,\"ts_ns\":1795202{second}000000000,\"src_ip\":\"10.9.9.9\",\"src_port\":4000,\"method\":\"GET\",\"host\":\"{evil}\",\
             \"path\":\"/{evil}\",\"status\":200,\"headers\":[[\"User-Agent\",\"{evil}\"]]}}\n"
        )
    };
    std::fs::write(&log, (700..720).map(line).collect::<String>()).unwrap();
    lab_ok(&["replay", "--http-log", text(&log), "--db", text(&db), "--no-score"]);
    let page = folder.path().join("report.html");
    let written = |page: &Path| std::fs::read_to_string(page).unwrap();
    lab_ok(&["report", "--db", text(&db), "-o", text(&page)]);
    assert!(written(&page).contains("No session is scored: run ja4-lab score"));
    lab_ok(&["score", "--db", text(&db), "--set", "trees=20"]);
    lab_ok(&["report", "--db", text(&db), "-o", text(&page)]);
    let html = written(&page);
    assert!(html.contains("&lt;script&gt;alert(1)"), "the hostile host is in the report as text");
    for forbidden in ["<script", "<img", "onerror=alert(2)>", "src=\"", "href=", "http://", "https://", "@import", "url("] {
        let found = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(forbidden), "{forbidden} stands in the report");
    }
    lab_ok(&["report", "--db", text(&db), "-o", text(&folder.path().join("again.html"))]);
    assert_eq!(html, written(&folder.path().join("again.html")), "the same database gives the same page");
    assert!(lab_fails(&["report", "--db", text(&folder.path().join("no.duckdb")), "-o", text(&page)]).contains("no.duckdb"));
    assert_eq!(lab(&["report", "-o", text(&page)]).status.code(), Some(2));
}

#[test]
fn the_experiments_that_ship_are_sound_and_the_page_quotes_their_results() {
    let folder = root().join("datasets/experiments");
    let mut committed = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let (plan, _) = ja4_lab::experiment::plan::Plan::read(&path).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str(), Some(plan.name.as_str()));
            let results = folder.join("results").join(format!("{}.json", plan.name));
            // A plan may stand here before its run; what was run must be whole, and quoted.
            let Ok(text) = std::fs::read_to_string(&results) else { continue };
            let found: Committed = serde_json::from_str(&text).unwrap();
            assert!(found.is_whole(), "{}: its values do not digest to {}", plan.name, found.metrics_digest);
            assert_eq!(found.question, plan.question, "{}: the results are those of another plan", plan.name);
            committed.insert(plan.name, found);
        }
    }
    assert!(committed.len() >= 3, "{:?}", committed.keys());
    let mut quoted = Vec::new();
    for name in ["SCIENCE.md", "EXPERIMENTS.md"] {
        let path = root().join("docs").join(name);
        let page = std::fs::read_to_string(&path).unwrap();
        let wanted = rewritten(&page, &committed).unwrap_or_else(|why| panic!("docs/{name}: {why}"));
        if std::env::var_os("UPDATE_TABLES").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        } else {
            let line = page.lines().zip(wanted.lines()).position(|(old, new)| old != new);
            assert!(
                page == wanted,
                "docs/{name} quotes other figures than datasets/experiments/results (first at line {}); run make experiment-tables",
                line.map_or(0, |line| line + 1)
            );
        }
        quoted.push(page);
    }
    for name in committed.keys() {
        let told = |page: &str, mark: &str| page.contains(&format!("<!-- experiment: {name}{mark}"));
        assert!(told(&quoted[0], ";") || told(&quoted[0], " -->"), "docs/SCIENCE.md shows nothing of {name}");
        assert!(told(&quoted[1], " -->"), "docs/EXPERIMENTS.md lacks the table of all values of {name}");
    }
}
