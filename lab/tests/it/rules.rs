//! Policy rules on the recorded set: imported, listed, tested, and what they make of labels.

use std::path::{Path, PathBuf};

use crate::support::{lab, lab_fails, lab_ok, query, replay_site, text};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/reference/policy-sample.yaml")
}

#[test]
fn a_policy_is_imported_tested_and_labels_what_it_denies() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("rules.duckdb");
    replay_site(&db, &["--no-score"]);
    // Before anything is imported the file can be tried.
    let tried = lab_ok(&["rules", "test", "--db", text(&db), "--policy", text(&sample())]);
    assert!(lab_fails(&["rules", "test", "--db", text(&db)]).contains("no rules to test"));
    let said = lab_ok(&["rules", "import", text(&sample()), "--db", text(&db)]);
    assert!(said.starts_with("imported  9 rules, 0 left out"), "{said}");
    assert_eq!(lab_ok(&["rules", "test", "--db", text(&db)]), tried);
    let line = |name: &str| tried.lines().find(|line| line.ends_with(name)).unwrap_or_else(|| panic!("{name}: {tried}"));
    let number = |name: &str, column: usize| line(name).split_whitespace().nth(column).unwrap().parse::<u64>().unwrap();
    // sqlmap alone sent 266 requests under its own name.
    assert!(number("attack tools", 1) >= 266, "{tried}");
    assert!(number("uptime checks", 2) >= 2, "{tried}");
    assert_eq!(number("example network", 1), 0);

    let listed = lab_ok(&["rules", "list", "--db", text(&db)]);
    assert!(listed.contains("   1  allow  public files\n        path: ^/(robots"), "{listed}");
    assert!(listed.contains("weigh +4  plain Accept\n        header accept: ^"), "{listed}");
    // Importing again replaces and does not add.
    lab_ok(&["rules", "import", text(&sample()), "--db", text(&db)]);
    assert_eq!(lab_ok(&["rules", "list", "--db", text(&db)]), listed);

    lab_ok(&["score", "--db", text(&db)]);
    let by_rule = "SELECT count(*) AS n, min(label) AS least FROM ja4_processing.ml_all_scores WHERE label_source = 'rule'";
    assert!(query(&db, by_rule)[0]["n"].as_u64().unwrap() >= 5);
    assert_eq!(query(&db, by_rule)[0]["least"], 1);
    lab_ok(&["score", "--db", text(&db), "--set", "rules.deny=ignore"]);
    assert_eq!(query(&db, by_rule)[0]["n"], 0);
}

#[test]
fn what_cannot_be_applied_is_named_and_a_file_that_is_no_policy_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("rules.duckdb");
    replay_site(&db, &["--no-score"]);
    lab_ok(&["rules", "import", text(&sample()), "--db", text(&db)]);
    let before = lab_ok(&["rules", "list", "--db", text(&db)]);
    let file = folder.path().join("policy.yaml");
    for (content, part) in [
        ("bots:\n- {name: a, expression: 'true', action: DENY}\n", "no rule that can be applied"),
        ("some: thing\n", "no list `bots`"),
        ("bots: [\n", "no YAML"),
        ("\u{0}\u{1}", "policy.yaml"),
    ] {
        std::fs::write(&file, content).unwrap();
        let said = lab_fails(&["rules", "import", text(&file), "--db", text(&db)]);
        assert!(said.contains(part), "{content:?}: {said}");
    }
    std::fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(lab_fails(&["rules", "import", text(&file), "--db", text(&db)]).contains("not text in UTF-8"));
    assert_eq!(lab_ok(&["rules", "list", "--db", text(&db)]), before);

    std::fs::write(
        &file,
        "bots:\n- {name: \"x\\e[31m\", expression: 'true', action: DENY}\n- {name: b, path_regex: /b, action: DENY}\n",
    )
    .unwrap();
    let output = lab(&["rules", "import", text(&file), "--db", text(&db)]);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && notes.contains("expression") && !notes.contains('\u{1b}'), "{notes}");
}
