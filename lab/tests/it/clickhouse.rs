//! The ClickHouse store beside the DuckDB store: the same input gives the same rows, features, scores and answers on both.
//!
//! Read next: `server.rs` (which engine this runs on), `replay/src/store/clickhouse/mod.rs`.

use std::path::Path;

use duckdb::arrow::array::{AsArray as _, RecordBatch};
use duckdb::arrow::datatypes::Int64Type;
use ja4_join::row::{ColumnKind, HttpLogRow};
use ja4_replay::store::{self, Contents, OpenOptions, Statement, TableName};

use crate::clickhouse_cluster::statements;
use crate::server::Server;
use crate::support::{digests, lab, lab_fails, lab_ok, query, replay_site, text};

#[test]
fn the_same_input_gives_the_same_digests_and_answers_on_both_stores() {
    let Some(server) = Server::start() else { return };
    let duck = server.folder().join("site.duckdb");
    let (on_duck, on_server) = (replay_site(&duck, &[]), replay_site(&server.address, &[]));
    assert_eq!(digests(&on_duck), digests(&on_server));
    for name in ["rows", "sessions", "anomalies", "tls_only", "matched", "rows_added", "match_kinds"] {
        assert_eq!(on_duck[name], on_server[name], "{name}");
    }
    assert!(on_duck["rows"].as_u64().unwrap() > 1000 && on_duck["anomalies"].as_u64().unwrap() > 10, "{on_duck}");

    let both = |arguments: &[&str]| {
        let ask = |db: &Path| {
            let mut all = arguments.to_vec();
            all.extend(["--db", text(db)]);
            lab_ok(&all)
        };
        let (one, two) = (ask(&duck), ask(&server.address));
        assert_eq!(one, two, "{arguments:?}");
        one
    };
    let sessions = both(&["sessions", "--top", "400", "--format", "jsonl"]);
    both(&["sessions", "--where", "score > 0.6 AND host != ''", "--format", "csv"]);
    let ids: Vec<String> = sessions
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["session_id"].as_str().unwrap().to_owned())
        .collect();
    for id in ids.iter().step_by(40) {
        both(&["explain", "--session", id]);
    }
    both(&[
        "sql",
        "--format",
        "jsonl",
        "SELECT host, count(*) AS n, avg(status) AS mean FROM ja4_logs.http_logs GROUP BY host ORDER BY host",
    ]);
    for view in [
        "view_ai_features_1h",
        "view_thesis_features_1h",
        "view_resource_cascade_1h",
        "view_form_bruteforce_detected",
        "view_host_ip_ja4_rotation",
        "view_dashboard_entities",
        "view_dashboard_user_agents",
    ] {
        let statement = format!("SELECT * FROM ja4_processing.{view} ORDER BY ALL");
        assert!(!both(&["sql", "--format", "csv", &statement]).is_empty());
    }

    // Asked again, nothing is added; scored again with a setting, both agree again.
    assert!(replay_site(&server.address, &[])["notes"].to_string().contains("nothing new"));
    let again = replay_site(&server.address, &["--window", "11s"]);
    assert_eq!((&again["rows_added"], &again["duplicates_skipped"]), (&0.into(), &on_server["rows"]));
    let score = |db: &Path| -> serde_json::Value {
        // Another forest: both read the features again. A threshold alone is re-ranked from stored voices on DuckDB.
        let out = lab_ok(&["score", "--db", text(db), "--set", "trees=200", "--set", "threshold=0.9", "--summary", "json"]);
        serde_json::from_str(&out).unwrap()
    };
    let (one, two) = (score(&duck), score(&server.address));
    assert_eq!(one, two);
    let kept = "SELECT count(*) AS n FROM ja4_processing.ml_detected_anomalies";
    assert_eq!(query(&server.address, kept)[0]["n"], one["anomalies"]);
    let facts = lab_ok(&["db", "info", "--db", text(&server.address), "--format", "csv"]);
    assert!(facts.contains(&format!("requests,{}", on_server["rows"])), "{facts}");

    // The store of one engine into an empty one of the other.
    let copy = server.folder().join("copy.duckdb");
    let told = lab_ok(&["db", "copy", "--from", text(&server.address), "--to", text(&copy)]);
    assert_eq!(told.matches(" equal ").count(), 3, "{told}");
    let told = lab_ok(&["db", "copy", "--from", text(&copy), "--to", text(&server.address)]);
    assert!(told.contains("copied    0 requests") && told.matches(" equal ").count() == 3, "{told}");

    // An address that is to be forgotten.
    let ip =
        query(&duck, "SELECT src_ip FROM ja4_processing.ml_all_scores ORDER BY hits DESC, src_ip LIMIT 1")[0]["src_ip"].clone();
    let ip = ip.as_str().unwrap();
    for db in [&duck, &server.address] {
        let would = lab_ok(&["db", "purge", "--db", text(db), "--address", ip, "--dry-run"]);
        assert!(would.contains("rows of http_logs"), "{would}");
        let did = lab_ok(&["db", "purge", "--db", text(db), "--address", ip]);
        assert_eq!(would.replace("would remove", "removed"), did);
        assert_eq!(lab_ok(&["db", "purge", "--db", text(db), "--address", ip, "--dry-run"]), "");
        let audit = query(db, "SELECT actor, action, target, detail FROM ja4_processing.audit_logs WHERE action = 'purge'");
        assert_eq!(audit.len(), 1);
        assert!(!audit[0].to_string().contains(ip), "the address must not live on in the record of its erasure: {audit:?}");
    }
    for all in [
        "SELECT * FROM ja4_logs.http_logs ORDER BY row_hi, row_lo",
        "SELECT * FROM ja4_processing.ml_all_scores ORDER BY session_id",
    ] {
        assert_eq!(query(&duck, all), query(&server.address, all));
    }
    let sums = "SELECT count(*) AS n FROM ja4_processing.agg_src_ip_1h WHERE src_ip = ";
    assert_eq!(query(&server.address, &format!("{sums}'{ip}'"))[0]["n"], 0);
}

#[test]
fn hostile_text_is_stored_and_found_as_it_was_sent() {
    let Some(server) = Server::start() else { return };
    let strings = hostile();
    assert!(strings.len() >= 500);
    let rows: Vec<HttpLogRow> = strings.iter().zip(0..).map(|(text, number)| row_of(text, number)).collect();
    let mut found = Vec::new();
    for db in [server.folder().join("hostile.duckdb"), server.address.clone()] {
        let mut store = store::open(&db, &OpenOptions::default()).unwrap();
        store.migrate().unwrap();
        assert_eq!(store.append(&rows).unwrap().added, rows.len() as u64);
        assert_eq!(store.append(&rows).unwrap().skipped, rows.len() as u64);
        let stored = store.query("SELECT row_lo, path, host, user_agent FROM ja4_logs.http_logs ORDER BY row_lo").unwrap();
        let at = |column: usize| -> Vec<String> {
            let columns = stored.iter().map(|batch| batch.column(column).as_string::<i32>());
            columns.flat_map(|texts| texts.iter().map(|text| text.unwrap().to_owned())).collect()
        };
        assert!(at(1) == strings && at(2) == strings && at(3) == strings, "stored bytes are not the sent bytes");
        // As a value of every way to ask, to add and to replace.
        const BY_PATH: Statement = Statement::shared("SELECT row_lo FROM ja4_logs.http_logs WHERE path = ? AND host = ?;");
        let names = TableName { schema: "ja4_processing", table: "ref_browser_h2" };
        store.insert(names, h2_names(&strings)).unwrap();
        for (text, number) in strings.iter().zip(0_i64..).step_by(7) {
            let hits = store.ask(&BY_PATH, &[text, text]).unwrap();
            let keys: Vec<i64> =
                hits.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
            assert_eq!(keys, [number], "{text:?}");
        }
        let half: Vec<&str> = strings.iter().step_by(2).map(String::as_str).collect();
        store.replace(names, "h2", &half, None).unwrap();
        let left = store.query("SELECT h2 FROM ja4_processing.ref_browser_h2").unwrap();
        assert_eq!(left.iter().map(RecordBatch::num_rows).sum::<usize>(), strings.len() / 2);
        found.push((store.digest(Contents::Rows).unwrap(), store.digest(Contents::Features).unwrap()));
    }
    assert_eq!(found[0], found[1]);
}

#[test]
fn lines_of_foreign_shippers_become_rows_or_dead_letters_and_an_old_schema_keeps_its_data() {
    let Some(server) = Server::start() else { return };
    // A server of the time before this schema, with a score in it.
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/clickhouse");
    for name in ["0001_init.sql", "0002_aggregates.sql"] {
        let sql = std::fs::read_to_string(migrations.join(name)).unwrap();
        statements(&sql).iter().for_each(|statement| drop(server.statement(statement)));
        let version = name[..4].parse::<u8>().unwrap();
        let sha256 = ja4_lab_digest(sql.as_bytes());
        server.statement(&format!(
            "INSERT INTO ja4_processing.schema_migrations VALUES ({version}, '{}', '{sha256}', 1)",
            name.trim_end_matches(".sql")
        ));
    }
    server.statement("INSERT INTO ja4_processing.ml_all_scores (win_ms, src_ip, session_id, score, hits) VALUES (1790000000000, '192.0.2.1', 'old', 0.5, 3)");
    let told = lab_ok(&["db", "migrate", "--db", text(&server.address)]);
    assert!(!told.contains(": 0 migrations applied") && told.contains("schema version"), "{told}");
    assert_eq!(query(&server.address, "SELECT session_id, score FROM ja4_processing.ml_all_scores")[0]["session_id"], "old");
    assert!(lab_ok(&["db", "migrate", "--db", text(&server.address)]).contains(": 0 migrations applied"));

    let good = r#"{"v":1,"ts_ns":1790000000000000001,"src_ip":"::ffff:192.0.2.7","src_port":443,"host":"Shop.Example:8443","path":"/a/b","query":"x=1&y=&","method":"GET","status":200,"headers":[["Host","x"],["User-Agent","Mozilla \u00e9"],["Cookie","12"]]}"#;
    let bad = [
        "not json",
        "[1]",
        r#"{"v":1}"#,
        r#"{"v":1,"ts_ns":5,"src_ip":"nope"}"#,
        r#"{"v":2,"ts_ns":5,"src_ip":"192.0.2.7"}"#,
        "",
    ];
    let lines = std::iter::once(good).chain(bad).zip(0..).map(|(line, position)| {
        serde_json::json!({ "received_ns": 1, "source": "test", "position": position, "line": line }).to_string()
    });
    let lines: Vec<String> = lines.collect();
    server.statement(&format!("INSERT INTO ja4_logs.http_logs_raw FORMAT JSONEachRow\n{}", lines.join("\n")));
    let rows = query(
        &server.address,
        "SELECT src_ip, host, path_depth, query_params, has_cookie, cookie_bytes, has_accept, user_agent, ja4 FROM ja4_logs.http_logs",
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(
        rows[0],
        serde_json::json!({ "src_ip": "192.0.2.7", "host": "shop.example", "path_depth": 2, "query_params": 2, "has_cookie": 1,
            "cookie_bytes": 12, "has_accept": 0, "user_agent": "Mozilla \u{e9}", "ja4": "" })
    );
    let dead = query(&server.address, "SELECT position, reason, line FROM ja4_logs.http_logs_dead ORDER BY position");
    let kept: Vec<&str> = dead.iter().map(|letter| letter["line"].as_str().unwrap()).collect();
    assert_eq!(kept, bad, "a line is never lost");
    assert!(dead.iter().all(|letter| !letter["reason"].as_str().unwrap().is_empty()), "{dead:?}");
    assert_eq!(query(&server.address, "SELECT sum(hits) AS n FROM ja4_processing.agg_host_1h")[0]["n"], 1);
}

#[test]
fn what_a_user_does_wrong_is_told_in_a_sentence() {
    let told = lab_fails(&["sessions", "--db", "clickhouse://nobody@127.0.0.1:1"]);
    assert!(told.contains("clickhouse://nobody@127.0.0.1:1") && told.contains("does not answer"), "{told}");
    let told = lab_fails(&["sessions", "--db", "clickhouse://me:secret@127.0.0.1:1"]);
    assert!(told.contains("JA4_CLICKHOUSE_PASSWORD") && !told.contains("secret"), "{told}");
    let Some(server) = Server::start() else { return };
    let told = lab_fails(&["sessions", "--db", text(&server.address)]);
    assert!(told.contains("db migrate"), "{told}");
    lab_ok(&["db", "migrate", "--db", text(&server.address)]);
    let output = lab(&["sessions", "--db", text(&server.address)]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds no requests"), "an empty list has a reason");
    for statement in [
        "DROP TABLE ja4_logs.http_logs",
        "INSERT INTO ja4_logs.tls_only (ts_ns) VALUES (1)",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 INTO OUTFILE '/tmp/ja4-must-not-be'",
    ] {
        lab_fails(&["sql", "--db", text(&server.address), statement]);
    }
    assert!(!Path::new("/tmp/ja4-must-not-be").exists());
}

fn ja4_lab_digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    ja4_replay::digest::hex(&sha2::Sha256::digest(bytes))
}

fn row_of(hostile: &str, number: i64) -> HttpLogRow {
    let mut row = HttpLogRow { row_lo: number, ts_ns: 1_790_000_000_000_000_000 + number * 1_000_000, ..HttpLogRow::unknown() };
    let text: ja4_join::row::Text = hostile.into();
    macro_rules! fill {
        ($($column:ident)*) => { $(row.$column = text.clone();)* };
    }
    fill!(src_ip dst_ip client_ip server conn_id scheme method host path query http_version header_names header_order user_agent
        referer accept accept_language accept_encoding content_type origin sec_ch_ua sec_ch_ua_mobile sec_ch_ua_platform sec_fetch_site
        sec_fetch_mode sec_fetch_dest x_requested_with h2 asset_kind ua_class ua_family ua_os protocol sni alpn ja3 ja4 ja4_r ja4_o ja4s
        ja4t ja4ts tcp_options match_kind as_name country ip_bot ja4_bot ja4_browser h2_browser);
    let filled = ja4_join::row::COLUMNS.iter().filter(|column| column.kind == ColumnKind::Text).count();
    assert_eq!(filled, 50, "a text column was added to row.rs: fill it here");
    row
}

/// Texts that end a literal, begin a comment, a parameter or a format, act on terminals, or are only strange.
fn hostile() -> Vec<String> {
    const SEEDS: &[&str] = &[
        "'",
        "''",
        "\"",
        "`",
        "\\",
        "\\'",
        "\\\\'",
        "'); DROP TABLE ja4_logs.http_logs; --",
        "' OR 1=1 --",
        "/*",
        "*/",
        "--",
        "#",
        ";",
        "?",
        "??",
        "{p0:String}",
        "{p1:Int64}",
        "$1",
        ":x",
        "%s",
        "\\N",
        "\\0",
        "\0",
        "NULL",
        "nan",
        "inf",
        "-1",
        "FORMAT CSV",
        "\n",
        "\r\n",
        "\t",
        "\u{b}",
        "\u{1b}[31m",
        "\u{202e}",
        "\u{feff}",
        "\u{200b}",
        "\u{10ffff}",
        "\u{1f600}",
        "e\u{301}",
        "\u{130}",
        "\u{df}",
        "${jndi:ldap://x}",
        "<script>",
        "../../etc/passwd",
        "\u{85}",
        "\u{2028}",
        "--boundary\r\n",
        "a",
        " ",
    ];
    let mut all: Vec<String> = SEEDS.iter().map(|seed| (*seed).to_owned()).collect();
    for (number, one) in SEEDS.iter().enumerate() {
        for step in [1, 3, 7, 11, 13, 17, 19, 23, 29] {
            all.push(format!("{one}{}{one}", SEEDS[(number + step) % SEEDS.len()]));
        }
    }
    all.push("long ' \\ \0 ".repeat(6000));
    all.push(String::new());
    all.sort_unstable();
    all.dedup();
    // Rows are asked for in the order of their keys.
    all
}

fn h2_names(strings: &[String]) -> RecordBatch {
    use duckdb::arrow::array::{ArrayRef, StringArray};
    let column = |values: Vec<&str>| -> ArrayRef { std::sync::Arc::new(StringArray::from(values)) };
    RecordBatch::try_from_iter([
        ("h2", column(strings.iter().map(String::as_str).collect())),
        ("family", column(strings.iter().rev().map(String::as_str).collect())),
        ("source", column(strings.iter().map(|_| "test").collect())),
    ])
    .unwrap()
}
