//! `dataset update` against a publisher on this machine that answers well, damaged, huge, slowly, elsewhere, or with a web page.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{lab, lab_fails, lab_ok, text};

/// What the publisher does when it is asked for a path.
#[derive(Clone)]
enum Answer {
    /// Content of a type.
    Good(&'static str, String),
    /// A status line and headers, no content.
    Bare(String),
    /// More and more of it, without a length.
    Endless,
    /// A byte now and then.
    Slow,
    /// Less than was announced.
    Cut,
}

/// A publisher; it serves until the test program ends.
struct Publisher {
    address: String,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
}

impl Publisher {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(BTreeMap::new()));
        let known = Arc::clone(&answers);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let known = Arc::clone(&known);
                std::thread::spawn(move || serve(stream, &known));
            }
        });
        Self { address, answers }
    }

    fn says(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// A list of upstreams: name, path, format, more lines.
    fn list(&self, folder: &Path, entries: &[(&str, &str, &str, &str)]) -> PathBuf {
        let entry = |(name, path, format, more): &(&str, &str, &str, &str)| {
            let address = &self.address;
            format!(
                "[[upstream]]\nname = \"{name}\"\nurl = \"{address}{path}\"\nformat = \"{format}\"\nlicence = \"facts\"\n{more}\n"
            )
        };
        let file = folder.join("upstreams.toml");
        std::fs::write(&file, entries.iter().map(entry).collect::<String>()).unwrap();
        file
    }
}

fn serve(mut stream: TcpStream, known: &Mutex<BTreeMap<String, Answer>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    let _ = reader.read_line(&mut request);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let answer = known.lock().unwrap().get(path).cloned().unwrap_or(Answer::Bare("404 Not Found\r\n".to_owned()));
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n{more}\r\n");
    // The other side may go away at any time, which is its right.
    let _ = match answer {
        Answer::Good(kind, body) => write!(
            stream,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        Answer::Bare(status) => write!(stream, "HTTP/1.1 {status}Connection: close\r\nContent-Length: 0\r\n\r\n"),
        Answer::Cut => write!(stream, "{}{{\"prefixes\"", head("Content-Length: 5000\r\n")),
        Answer::Endless => {
            let _ = stream.write_all(head("").as_bytes());
            while stream.write_all(&[b' '; 65536]).is_ok() {}
            Ok(())
        }
        Answer::Slow => {
            let _ = stream.write_all(head("Content-Length: 100000\r\n").as_bytes());
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
    };
}

/// A published list of `n` prefixes.
fn prefixes(n: usize) -> String {
    let one = |i: usize| format!("{{\"ipv4Prefix\": \"66.249.{i}.0/24\"}}");
    format!("{{\"creationTime\": \"2026-11-01\", \"prefixes\": [{}]}}", (0..n).map(one).collect::<Vec<_>>().join(", "))
}

/// Every file of a folder with its content.
fn state(folder: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn what_publishers_say_is_installed_with_where_it_comes_from_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let publisher = Publisher::start();
    // As many rows as the built-in table has, or it would be taken for a list that lost most of its own.
    let more: String = (0..20).map(|i| format!("198.51.{i}.0/24,{},US,N{i},Net {i},\n", 65000 + i)).collect();
    let asn = format!(
        "network,asn,country_code,name,org,domain\n10.0.0.0/8,64500,fr,LOCAL,Local Net,l.example\n192.0.2.0/24,64501,DE,\"A, B\",,\n{more}"
    );
    publisher.says("/asn.csv", Answer::Good("text/csv", asn));
    publisher.says("/moved", Answer::Bare("302 Found\r\nLocation: /bot.json\r\n".to_owned()));
    publisher.says("/bot.json", Answer::Good("application/json; charset=utf-8", prefixes(4)));
    publisher.says("/exits", Answer::Good("text/plain", "185.220.101.1\n185.220.101.2\n".to_owned()));
    let ja4 = r#"[{"application": "Sliver Agent", "verified": true, "ja4_fingerprint": "t13d190900_9dc949149365_ffffffffffff"}]"#;
    publisher.says("/ja4", Answer::Good("application/json", ja4.to_owned()));
    publisher
        .says("/rules.yaml", Answer::Good("text/plain", "- name: probes\n  path_regex: ^/\\.git\n  action: DENY\n".to_owned()));
    let list = publisher.list(
        folder.path(),
        &[
            ("asn", "/asn.csv", "iplocate_asn", ""),
            ("somebot", "/moved", "prefixes_json", ""),
            ("exits", "/exits", "addresses", "label = \"tor-exit\""),
            ("ja4", "/ja4", "ja4db", ""),
            ("rules", "/rules.yaml", "anubis", ""),
        ],
    );
    let target = folder.path().join("reference");
    let arguments = ["dataset", "update", "--upstreams", text(&list), "--reference", text(&target)];

    let told = lab_ok(&[&arguments[..], &["--dry-run"]].concat());
    assert!(told.contains("4 tables would change") && !target.exists(), "{told}");
    let told = lab_ok(&arguments);
    assert!(told.contains("bot_ip.csv: 6 added, 0 removed, 0 changed"), "{told}");
    assert!(told.contains("  + 185.220.101.1/32,tor-exit,"), "{told}");
    assert!(told.contains("asn.csv: ") && told.contains("5 of 5 publishers answered; 4 tables changed"), "{told}");
    let first = state(&target);
    assert_eq!(first.keys().collect::<Vec<_>>(), ["asn.csv", "bot_ip.csv", "ja4_bot.csv", "policy-anubis.yaml"]);
    assert_eq!(first["asn.csv"].lines().filter(|line| !line.starts_with('#')).count(), 23, "the seed is replaced");
    assert!(first["bot_ip.csv"].contains(&format!("# upstream somebot: {}/moved, facts, ", publisher.address)));
    assert!(first["bot_ip.csv"].contains("googlebot,developers.google.com"), "rows of others stay");
    assert!(first["ja4_bot.csv"].contains("_ffffffffffff,sliver-agent,any,ja4db,127.0.0.1:"));

    // The same again changes nothing, not even a date.
    let told = lab_ok(&arguments);
    assert!(told.contains("0 tables changed"), "{told}");
    assert_eq!(first, state(&target));

    // Another answer is a difference, told row by row; only the publisher that is named is asked.
    publisher.says("/exits", Answer::Good("text/plain", "185.220.101.2\n185.220.101.3\n".to_owned()));
    publisher.says("/bot.json", Answer::Good("application/json", prefixes(3)));
    let told = lab_ok(&[&arguments[..], &["--only", "exits"]].concat());
    assert!(told.contains("bot_ip.csv: 1 added, 1 removed, 0 changed") && told.contains("  - 185.220.101.1/32"), "{told}");
    assert!(lab_fails(&[&arguments[..], &["--only", "exit"]].concat()).contains("there are asn, somebot, exits"));

    // The tables are what the program reads: addresses have systems now.
    let log = folder.path().join("log.jsonl");
    let line = r#"{"v":1,"ts_ns":1795202700000000000,"src_ip":"10.9.9.9","src_port":4000,"method":"GET","host":"a.example","path":"/","status":200}"#;
    std::fs::write(&log, format!("{line}\n")).unwrap();
    let db = folder.path().join("db.duckdb");
    lab_ok(&["replay", "--http-log", text(&log), "--db", text(&db), "--no-score", "--reference", text(&target)]);
    let rows = crate::support::query(&db, "SELECT asn, as_name FROM ja4_logs.http_logs");
    assert_eq!((rows[0]["asn"].as_i64(), rows[0]["as_name"].as_str()), (Some(64500), Some("LOCAL")));
    let told = lab_ok(&["rules", "import", text(&target.join("policy-anubis.yaml")), "--db", text(&db)]);
    assert!(told.contains("imported  1 rules, 0 left out"), "{told}");
}

#[test]
fn what_is_damaged_huge_slow_or_elsewhere_changes_nothing_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let publisher = Publisher::start();
    let target = folder.path().join("reference");
    publisher.says("/bot.json", Answer::Good("application/json", prefixes(40)));
    let quick = "most_bytes = 100000\ntimeout = \"20s\"";
    let list = publisher.list(folder.path(), &[("somebot", "/bot.json", "prefixes_json", quick)]);
    let arguments = ["dataset", "update", "--upstreams", text(&list), "--reference", text(&target)];
    lab_ok(&arguments);
    let before = state(&target);
    let json = "application/json";
    let moved = |to: &str| Answer::Bare(format!("301 Moved\r\nLocation: {to}\r\n"));
    for (answer, part) in [
        (Answer::Good(json, prefixes(40).replace("66.249.7.0/24", "66.249.7.0/240")), "prefix 8: "),
        (Answer::Good(json, prefixes(40).replace("66.249.7.0", "192.168.7.0")), "192.168.7.0/24 is not routed on the Internet"),
        (Answer::Good(json, "{\"prefixes\": [".to_owned()), "it is no JSON"),
        (Answer::Good(json, prefixes(0)), "it holds no row"),
        (Answer::Good(json, prefixes(19)), "it holds 19 rows where it held 40: more than half are gone; --force"),
        (Answer::Good(json, " ".repeat(100_001)), "larger than the 100000 bytes allowed"),
        (Answer::Good("text/html", prefixes(40)), "\"text/html\" (a web page); expected is application/json"),
        (Answer::Endless, "larger than the 100000 bytes allowed"),
        (Answer::Cut, "/bot.json): "),
        (Answer::Bare("404 Not Found\r\n".to_owned()), "it answered with status 404"),
        (Answer::Bare("500 Oh\r\n".to_owned()), "it answered with status 500"),
        (moved("http://192.0.2.1/bot.json"), "which is not followed"),
        (moved("file:///etc/passwd"), "which is not followed"),
        (moved("/bot.json"), "it redirected more than 5 times"),
    ] {
        publisher.says("/bot.json", answer);
        let message = lab_fails(&arguments);
        assert!(message.contains(part) && message.contains("its rows stay as they are"), "{message}");
        assert_eq!(before, state(&target), "{part}");
    }

    // A publisher that never ends is left after the time it was given; one that fails does not keep the others from being installed.
    publisher.says("/bot.json", Answer::Slow);
    publisher.says("/exits", Answer::Good("text/plain", "185.220.101.1\n".to_owned()));
    let entries = [("somebot", "/bot.json", "prefixes_json", "timeout = \"500ms\""), ("exits", "/exits", "addresses", "")];
    publisher.list(folder.path(), &entries);
    let output = lab(&arguments);
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("no whole answer within 0.5 s"), "{stderr}");
    assert!(stdout.contains("1 of 2 publishers answered; 1 tables changed"), "{stdout}");
    let now = state(&target);
    assert!(now["bot_ip.csv"].contains("185.220.101.1/32,exits,") && now["bot_ip.csv"].contains("66.249.39.0/24,somebot,"));

    // What shrank is taken on demand; what is empty never.
    publisher.says("/bot.json", Answer::Good(json, prefixes(2)));
    publisher.list(folder.path(), &entries[..1]);
    assert!(lab_fails(&arguments).contains("it holds 2 rows where it held 40"));
    let told = lab_ok(&[&arguments[..], &["--force"]].concat());
    assert!(told.contains("38 removed") && told.contains("… and 28 more"), "{told}");
    publisher.says("/bot.json", Answer::Good(json, prefixes(0)));
    assert!(lab_fails(&[&arguments[..], &["--force"]].concat()).contains("it holds no row"));

    // A damaged table of one's own is not written over.
    std::fs::write(target.join("asn.csv"), "prefix,asn,as_name,country\nnonsense,1,X,FR\n").unwrap();
    publisher.says("/bot.json", Answer::Good(json, prefixes(3)));
    let left = state(&target);
    lab_fails(&["replay", "--http-log", "none", "--db", text(&folder.path().join("x.duckdb")), "--reference", text(&target)]);
    lab_ok(&arguments);
    assert_eq!(left["asn.csv"], state(&target)["asn.csv"]);
    // Nobody answers at all: everything stays.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let entry = format!("[[upstream]]\nname = \"x\"\nurl = \"http://{gone}/\"\nformat = \"addresses\"\nlicence = \"facts\"\n");
    std::fs::write(&list, entry).unwrap();
    let before = state(&target);
    lab_fails(&arguments);
    assert_eq!(before, state(&target));
}

#[test]
fn the_tables_of_recorded_values_can_be_made_again() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/reference");
    let folder = tempfile::tempdir().unwrap();
    let files = ["ja4_browser.csv", "ja4_bot.csv", "h2_browser.csv"];
    for file in files {
        // Without the rows of recordings, which come back.
        let text = std::fs::read_to_string(source.join(file)).unwrap();
        let others: String =
            text.lines().filter(|line| !line.contains(",datasets/recorded/")).flat_map(|line| [line, "\n"]).collect();
        assert!(others.len() < text.len(), "{file} holds no recorded value");
        std::fs::write(folder.path().join(file), others).unwrap();
    }
    let made =
        std::process::Command::new("bash").arg(source.join("regenerate.sh")).arg(crate::support::LAB).arg(folder.path()).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for file in files {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(read(folder.path()) == read(&source), "{file} is not what the recordings show; run make reference-tables");
    }
}
