//! Cluster mode: statements that the parser takes, and features that two shards compute as one server does, bit for bit.
//!
//! Two shards on one engine: `remote('localhost,localhost', …)` is a Distributed table whose shards are this process, and each sees the
//! addresses of its number. What this cannot show is the network between nodes, replication and its coordinator.
//!
//! Read next: `replay/src/store/clickhouse/cluster.rs`, `sql/testing/sharded.py`.

use ja4_lab::cycle::{self, CyclePlan};
use ja4_replay::store::clickhouse::{cluster, sql};
use ja4_replay::store::{self, Contents, OpenOptions, Store};

use crate::server::Server;
use crate::support::{lab_fails, lab_ok, query, replay_site, text};

const SHARDS: &str = "'localhost,localhost'";

#[test]
fn two_shards_compute_the_features_of_one_server_bit_for_bit() {
    let Some(server) = Server::start() else { return };
    replay_site(&server.address, &["--no-score"]);
    let open = || store::open(&server.address, &OpenOptions { read_only: true, ..OpenOptions::default() }).unwrap();
    let newest = query(&server.address, "SELECT max(win_ms) AS ms FROM ja4_processing.v_requests")[0]["ms"].as_i64().unwrap();
    let hour = CyclePlan { from_ms: Some(newest), to_ms: Some(newest + 1), ..CyclePlan::default() };
    let later = CyclePlan { from_ms: Some(newest + 1), ..CyclePlan::default() };
    let seen = |store: &dyn Store| {
        let [whole, hour] = [&CyclePlan::default(), &hour].map(|plan| cycle::read_frame(store, plan).unwrap());
        assert_eq!(cycle::read_frame(store, &later).unwrap().sessions(), 0, "the bound is none");
        let digests = [Contents::Rows, Contents::Features].map(|contents| store.digest(contents).unwrap());
        (digests, whole, hour)
    };
    let views = || -> Vec<String> { VIEWS.iter().map(|view| rows_of(&server, view)).collect() };
    let (alone, views_alone) = (seen(&*open()), views());
    spread(&server);

    let counts =
        query(&server.address, "SELECT shardNum() AS shard, count() AS n FROM ja4_logs.http_logs GROUP BY shard ORDER BY shard");
    assert_eq!(counts.len(), 2, "{counts:?}");
    // Fingerprints that both shards saw within an hour: a shard alone would compare their sessions with too few others.
    let common =
        "SELECT win_ms, ja4 FROM ja4_processing.sessions_1h GROUP BY win_ms, ja4 HAVING uniqExact(sipHash64(src_ip) % 2) = 2";
    assert!(query(&server.address, common).len() > 5);
    let together = seen(&*open());
    assert_eq!(alone.0, together.0);
    assert!(alone.1.sessions() > 100 && alone.2.sessions() > 0);
    for (one, two) in [(&alone.1, &together.1), (&alone.2, &together.2)] {
        assert!(one.data().equals(two.data()), "{} and {} sessions", one.sessions(), two.sessions());
    }
    assert_eq!(views_alone, views());

    // What a person types cannot reach other servers by itself, not even through a view.
    let typed = "SELECT * FROM ja4_processing.view_ai_features_1h_between(from_ns = 0, to_ns = 1)";
    lab_fails(&["sql", "--db", text(&server.address), typed]);

    // A program that was not told of the cluster may read, but not write.
    let told = lab_fails(&["score", "--db", text(&server.address)]);
    assert!(told.contains("?cluster=NAME"), "{told}");

    // A shard that is away is told, and never a shorter answer.
    let columns = server.statement("SHOW CREATE TABLE ja4_processing.sessions_1h FORMAT TSVRaw");
    server.statement("DROP TABLE ja4_processing.sessions_1h SYNC");
    server.statement(&columns.replace("localhost,localhost", "localhost,127.0.0.1:1"));
    let away = open().digest(Contents::Features).unwrap_err();
    assert!(away.is_transient() && away.to_string().contains("127.0.0.1:1"), "{away}");
}

#[test]
fn every_statement_of_cluster_mode_is_accepted_by_the_parser() {
    let Some(server) = Server::start() else { return };
    let texts = sql::MIGRATIONS.iter().map(|migration| migration.text).chain(sql::VIEWS.iter().copied());
    let made: Vec<String> = texts.flat_map(statements).flat_map(|statement| cluster::on("site", &statement)).collect();
    assert!(made.iter().filter(|statement| statement.contains("ENGINE = Distributed(")).count() >= 10);
    for statement in made {
        let quoted = statement.replace('\\', "\\\\").replace('\'', "\\'");
        let formatted = server.statement(&format!("SELECT formatQuery('{quoted}')"));
        assert!(statement.starts_with("INSERT") || formatted.contains("ON CLUSTER site"), "{formatted}");
    }
}

#[test]
fn a_server_of_its_own_is_not_taken_for_a_cluster() {
    let Some(server) = Server::start() else { return };
    lab_ok(&["db", "migrate", "--db", text(&server.address)]);
    let named = format!("{}/?cluster=site", text(&server.address));
    let told = lab_fails(&["db", "info", "--db", &named]);
    assert!(told.contains("those of one server") && told.contains("leave out cluster="), "{told}");
}

/// Views beside the features; they ask all shards for requests.
const VIEWS: &[&str] = &[
    "view_thesis_features_1h",
    "view_resource_cascade_1h",
    "view_form_bruteforce_detected",
    "view_host_ip_ja4_rotation",
    "view_dashboard_entities",
    "view_dashboard_user_agents",
];

fn rows_of(server: &Server, view: &str) -> String {
    lab_ok(&[
        "sql",
        "--db",
        text(&server.address),
        "--format",
        "csv",
        &format!("SELECT * FROM ja4_processing.{view} ORDER BY ALL"),
    ])
}

/// Puts what the server holds behind two shards, and makes the views of cluster mode over them.
fn spread(server: &Server) {
    server.statement("RENAME TABLE ja4_logs.http_logs TO ja4_logs.http_logs_all");
    server.statement(
        "CREATE VIEW ja4_logs.http_logs_local AS SELECT * FROM ja4_logs.http_logs_all WHERE sipHash64(src_ip) % 2 = shardNum() - 1",
    );
    server.statement(&format!("CREATE TABLE ja4_logs.http_logs AS remote({SHARDS}, ja4_logs, http_logs_local)"));
    for statement in sql::VIEWS.iter().flat_map(|text| statements(text)).flat_map(|one| cluster::on("site", &one)) {
        let here = statement.replace(" ON CLUSTER site", "").replace("cluster(site, ", &format!("remote({SHARDS}, "));
        let here = here.replace(
            "AS ja4_processing.sessions_1h_local\nENGINE = Distributed(site, ja4_processing, sessions_1h_local)",
            &format!("AS remote({SHARDS}, ja4_processing, sessions_1h_local)"),
        );
        let here = here.replace("CREATE OR REPLACE TABLE ja4_processing.sessions_1h", "CREATE TABLE ja4_processing.sessions_1h");
        server.statement(&here);
    }
}

/// The statements of a file, as `sql/README.md` says they end.
pub fn statements(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let all = lines.join("\n");
    all.split(";\n").map(|one| one.trim().trim_end_matches(';').to_owned()).filter(|one| !one.is_empty()).collect()
}
