//! The same statements for a cluster: replicated tables everywhere, and Distributed ones in front of what is sharded.
//!
//! Promises: requests, handshakes, raw lines and partial sums are sharded by client address, so a session is on one shard, which
//! computes its features; all other tables are small and whole on every node; names of tables and views stay, so no query changes.
//!
//! Read next: `sql/clickhouse/0001_init.sql`, `sql/testing/sharded.py` (features shard by shard), `docs/SCALING.md`.

use super::sql;

/// Tables that are spread over the shards, and the columns that choose the shard.
const SHARDED: &[(&str, &str)] = &[
    ("ja4_logs.http_logs", "sipHash64(src_ip)"),
    ("ja4_logs.http_logs_raw", "sipHash64(source, position)"),
    ("ja4_logs.http_logs_dead", "sipHash64(source, position)"),
    ("ja4_logs.tls_only", "sipHash64(src_ip)"),
    ("ja4_processing.agg_host_1h_parts", "rand()"),
    ("ja4_processing.agg_src_ip_1h_parts", "sipHash64(src_ip)"),
    ("ja4_processing.agg_ja4_1h_parts", "rand()"),
    ("ja4_processing.agg_session_1h_parts", "sipHash64(src_ip)"),
    ("ja4_processing.agg_header_signature_1h_parts", "rand()"),
    ("ja4_processing.agg_path_1h_parts", "rand()"),
];

/// The base of all views, and the same over what this node keeps itself.
const REQUESTS: &str = "ja4_processing.v_requests";
const OWN_REQUESTS: &str = "ja4_processing.v_requests_local";
/// The features and their bounded form, which each shard computes for its own sessions.
const FEATURES: &str = "ja4_processing.view_ai_features_1h";
const FEATURES_BETWEEN: &str = "ja4_processing.view_ai_features_1h_between";

/// The statements that do on every node of `cluster` what `statement` of a migration or view file does on one server.
#[must_use]
pub fn on(cluster: &str, statement: &str) -> Vec<String> {
    let Some(name) = object(statement) else { return vec![everywhere(cluster, statement)] };
    if statement.starts_with("CREATE OR REPLACE VIEW") {
        return views(cluster, name, statement);
    }
    let sharded = SHARDED.iter().find(|(table, _)| *table == name);
    if statement.starts_with("CREATE TABLE") || statement.starts_with("CREATE OR REPLACE TABLE") {
        return match sharded {
            Some((table, key)) => {
                let local =
                    replicated(&everywhere(cluster, statement), "{uuid}/{shard}").replacen(table, &format!("{table}_local"), 1);
                vec![local, distributed(cluster, table, key)]
            }
            None => vec![replicated(&everywhere(cluster, statement), "{uuid}/all")],
        };
    }
    if statement.starts_with("CREATE MATERIALIZED VIEW") || statement.contains(" MODIFY QUERY") {
        // A view is fed on the node where the rows are, from the local part into the local part.
        return vec![local_parts(&everywhere(cluster, statement))];
    }
    if statement.starts_with("ALTER TABLE")
        && let Some((table, _)) = sharded
    {
        return vec![everywhere(cluster, statement).replacen(table, &format!("{table}_local"), 1)];
    }
    vec![everywhere(cluster, statement)]
}

/// The views that take the place of one: those that begin at a node's own requests have a part on every node.
fn views(cluster: &str, name: &str, statement: &str) -> Vec<String> {
    let sharded = |bounded: bool| {
        let all = sql::statements(sql::SHARDED).into_iter();
        let wanted = all.filter(move |made| (object(made) == Some(FEATURES_BETWEEN)) == bounded);
        wanted.map(|made| everywhere(cluster, &made).replace("/*cluster*/", cluster)).collect()
    };
    match name {
        FEATURES => sharded(false),
        FEATURES_BETWEEN => sharded(true),
        REQUESTS => {
            let own = statement.replacen(REQUESTS, OWN_REQUESTS, 1).replacen(
                "FROM ja4_logs.http_logs ",
                "FROM ja4_logs.http_logs_local ",
                1,
            );
            vec![everywhere(cluster, &own), everywhere(cluster, statement)]
        }
        _ => vec![everywhere(cluster, statement)],
    }
}

/// `statement` with `ON CLUSTER` where it changes what tables there are; as it is where replication carries it.
#[must_use]
pub fn everywhere(cluster: &str, statement: &str) -> String {
    if statement.starts_with("EXCHANGE TABLES") || statement.starts_with("DROP ") && !statement.contains("PARTITION") {
        return format!("{statement} ON CLUSTER {cluster}");
    }
    let changes = ["CREATE ", "ALTER TABLE"].iter().any(|word| statement.starts_with(word));
    match object(statement).filter(|_| changes && !statement.contains(" PARTITION ID ") && !statement.contains(" PARTITION {")) {
        Some(name) => statement.replacen(name, &format!("{name} ON CLUSTER {cluster}"), 1),
        None => statement.to_owned(),
    }
}

/// The name that a CREATE, ALTER or DROP is about.
fn object(statement: &str) -> Option<&str> {
    const KINDS: &[&str] = &["TABLE", "VIEW", "DATABASE", "FUNCTION", "DICTIONARY", "USER", "ROLE", "QUOTA", "PROFILE"];
    let mut words = statement.split_whitespace().skip_while(|word| !KINDS.contains(word)).skip(1);
    words.find(|word| !["IF", "NOT", "EXISTS"].contains(word)).map(|word| word.trim_end_matches('('))
}

fn replicated(statement: &str, place: &str) -> String {
    let engine = |kind: &str| format!("ENGINE = Replicated{kind}('/clickhouse/tables/{place}', '{{replica}}')");
    let mut text = statement.to_owned();
    for kind in ["AggregatingMergeTree", "MergeTree"] {
        // One of the two stands there, followed by a blank or the end of the line.
        for end in ["\n", " "] {
            text = text.replacen(&format!("ENGINE = {kind}{end}"), &format!("{}{end}", engine(kind)), 1);
        }
    }
    text.replace("non_replicated_deduplication_window", "replicated_deduplication_window")
}

fn distributed(cluster: &str, table: &str, key: &str) -> String {
    let (schema, name) = table.split_once('.').unwrap_or(("default", table));
    let mut text = sql::statement(sql::DISTRIBUTED);
    for (mark, value) in [("/*cluster*/", cluster), ("/*schema*/", schema), ("/*name*/", name), ("/*key*/", key)] {
        text = text.replace(mark, value);
    }
    text
}

fn local_parts(statement: &str) -> String {
    let mut text = statement.to_owned();
    for (table, _) in SHARDED {
        for (before, after) in [("FROM ", "\n"), ("FROM ", " "), (" TO ", " "), (" TO ", "\n")] {
            text = text.replace(&format!("{before}{table}{after}"), &format!("{before}{table}_local{after}"));
        }
        if let Some(rest) = text.strip_suffix(&format!("FROM {table}")) {
            text = format!("{rest}FROM {table}_local");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_of_the_schema_names_the_cluster() {
        let texts = sql::MIGRATIONS.iter().map(|migration| migration.text).chain(sql::VIEWS.iter().copied());
        let mut distributed = 0;
        for statement in texts.flat_map(sql::statements) {
            for made in on("site", &statement) {
                if !statement.starts_with("INSERT") {
                    assert_eq!(made.matches(" ON CLUSTER site").count(), 1, "{made}");
                }
                assert!(!made.contains("ENGINE = MergeTree") && !made.contains("ENGINE = AggregatingMergeTree"), "{made}");
                assert!(!made.contains("non_replicated"), "{made}");
                distributed += usize::from(made.contains("ENGINE = Distributed("));
            }
        }
        assert_eq!(distributed, SHARDED.len() + 1, "the sharded tables, and what the shards say of their sessions");
    }

    #[test]
    fn each_shard_computes_the_features_of_its_own_sessions() {
        let made: Vec<String> =
            sql::VIEWS.iter().flat_map(|text| sql::statements(text)).flat_map(|one| on("site", &one)).collect();
        let of = |name: &str| -> &String {
            let mut found = made.iter().filter(|statement| object(statement) == Some(name));
            let first = found.next().unwrap();
            assert!(found.next().is_none(), "{name} is made twice");
            first
        };
        assert!(of(OWN_REQUESTS).contains("FROM ja4_logs.http_logs_local AS r"));
        assert!(of(REQUESTS).contains("FROM ja4_logs.http_logs AS r"));
        assert!(of("ja4_processing.sessions_1h_local").contains("FROM ja4_processing.v_requests_local"));
        assert!(of("ja4_processing.sessions_1h").contains("Distributed(site, ja4_processing, sessions_1h_local)"));
        assert!(of(FEATURES).contains("FROM ja4_processing.sessions_1h\n"));
        let bounded = of(FEATURES_BETWEEN);
        assert!(
            bounded.contains("cluster(site, view(WITH") && bounded.contains("v_requests_local WHERE ts_ns >= {from_ns:Int64}")
        );
        for name in ["ja4_processing.sessions_1h_local", FEATURES, FEATURES_BETWEEN] {
            assert!(
                !of(name).contains("v_requests ") && !of(name).contains("v_requests\n"),
                "{name} reads the requests of all shards"
            );
        }
    }

    #[test]
    fn a_sharded_table_is_two_and_its_views_are_fed_where_the_rows_are() {
        let made = on("c", "CREATE TABLE IF NOT EXISTS ja4_logs.tls_only (\n  a Int64\n) ENGINE = MergeTree\nORDER BY a");
        assert!(made[0].starts_with("CREATE TABLE IF NOT EXISTS ja4_logs.tls_only_local ON CLUSTER c (\n"), "{}", made[0]);
        assert!(
            made[0].contains("ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')\n"),
            "{}",
            made[0]
        );
        assert!(made[1].ends_with("ENGINE = Distributed(c, ja4_logs, tls_only_local, sipHash64(src_ip))"), "{}", made[1]);
        let view = on(
            "c",
            "CREATE MATERIALIZED VIEW IF NOT EXISTS ja4_processing.agg_host_1h_mv TO ja4_processing.agg_host_1h_parts AS\nSELECT 1\nFROM ja4_logs.http_logs\nGROUP BY a",
        );
        assert!(view[0].contains("mv ON CLUSTER c TO ja4_processing.agg_host_1h_parts_local AS"), "{}", view[0]);
        assert!(view[0].contains("FROM ja4_logs.http_logs_local\n"), "{}", view[0]);
        let changed = on(
            "c",
            "ALTER TABLE ja4_processing.agg_host_1h_mv MODIFY QUERY\nSELECT 1\nFROM ja4_processing.agg_session_1h_parts AS s",
        );
        assert_eq!(
            changed,
            [
                "ALTER TABLE ja4_processing.agg_host_1h_mv ON CLUSTER c MODIFY QUERY\nSELECT 1\nFROM ja4_processing.agg_session_1h_parts_local AS s"
            ]
        );
    }
}
