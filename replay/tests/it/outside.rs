//! What an administrator sees: privileges in /proc, settings, signals, refusals.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::support::{Site, acknowledged, handshake, metric, request};

#[test]
fn a_store_that_cannot_be_opened_is_told_of_before_the_first_row_and_where_it_listens_is_said() {
    let site = Site::new();
    let store = site.path("out/absent/rows.duckdb");
    let running = site.start(&["--store", store.to_str().unwrap()]);
    running.wait_for("/metrics", |_, body| metric(body, "ja4_sink_failing{sink=\"store\"}") == 1);
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert!(log.contains("store: ") && log.contains("out/absent/rows.duckdb"), "{log}");
    let places = [site.path("run/http"), site.path("run/network")].map(|path| path.display().to_string());
    assert!(
        log.contains(&format!("requests at {}, handshakes at {}, figures at http://127.0.0.1:", places[0], places[1])),
        "{log}"
    );
    // Nothing needs to be restarted once the folder is there.
    std::fs::create_dir(site.path("out/absent")).unwrap();
    std::fs::set_permissions(site.path("out/absent"), std::fs::Permissions::from_mode(0o777)).unwrap();
    site.send("run/http", &request(1));
    running.stop();
    assert!(store.exists());
}

#[test]
fn a_log_that_cannot_be_followed_ends_it_with_one_sentence_and_status_1() {
    let site = Site::new();
    let log = site.path("out/access.log");
    let run = || {
        let mut command = site.program();
        command.args(["--stdout", "--http-socket", "", "--network-socket", "", "--listen", ""]).arg("--http-logs").arg(&log);
        command.arg("--spool").arg(site.path("out/spool")).output().unwrap()
    };
    // Opening a pipe that nobody writes to would never return.
    assert!(std::process::Command::new("mkfifo").args(["-m", "666"]).arg(&log).status().unwrap().success());
    for reason in ["it is no regular file; only such can be followed", "it is a folder; name the files in it"] {
        let output = run();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        let last = told.lines().last().unwrap();
        assert!(last.starts_with("ja4-correlator: cannot open the HTTP log") && last.contains(reason), "{told}");
        let _ = std::fs::remove_file(&log);
        let _ = std::fs::create_dir(&log);
    }
}

#[test]
fn a_log_whose_next_file_may_not_be_read_yet_is_waited_for() {
    let site = Site::new();
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: not root, so a file of this user cannot be kept from the program");
        return;
    }
    let log = site.path("out/access.log");
    let write = |numbers: std::ops::Range<u32>, mode| {
        let text: String = numbers.map(|n| format!("{}\n", request(n))).collect();
        std::fs::write(site.path("out/new"), text).unwrap();
        std::fs::set_permissions(site.path("out/new"), std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::rename(site.path("out/new"), &log).unwrap();
    };
    write(0..3, 0o644);
    let running = site.start(&["--stdout", "--http-logs", log.to_str().unwrap(), "--http-delay-ms", "0"]);
    running.wait_for("/metrics", |_, body| metric(body, &acknowledged("http")) == 3);
    // As logrotate makes it, before it gives the file its group.
    std::fs::rename(&log, site.path("out/access.log.1")).unwrap();
    write(3..5, 0o600);
    running.wait_for("/metrics", |_, _| {
        std::fs::read_to_string(site.path("log")).unwrap().contains("ermission denied (os error 13)")
    });
    std::fs::set_permissions(&log, std::fs::Permissions::from_mode(0o644)).unwrap();
    running.wait_for("/metrics", |_, body| metric(body, &acknowledged("http")) == 5);
    running.stop();
    let mut paths: Vec<String> = site.rows("stdout").iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    assert_eq!(paths, ["/0", "/1", "/2", "/3", "/4"]);
}

#[test]
fn a_database_that_another_process_writes_is_waited_for_and_then_has_the_rows_of_both() {
    let (one, other) = (Site::new(), Site::new());
    let store = one.path("out/rows.duckdb");
    let settings = ["--store", store.to_str().unwrap(), "--http-delay-ms", "0", "--network-delay-ms", "0", "--window-ms", "50"];
    let first = one.start(&settings);
    one.send("run/http", &request(1));
    first.wait_for("/metrics", |_, body| metric(body, &acknowledged("http")) == 1);
    while !store.exists() {
        std::thread::yield_now();
    }
    let second = other.start(&settings);
    second.wait_for("/metrics", |_, body| metric(body, "ja4_sink_failing{sink=\"store\"}") == 1);
    let log = std::fs::read_to_string(other.path("log")).unwrap();
    assert!(log.contains("another process holds it"), "{log}");
    other.send("run/http", &request(2));
    second.wait_for("/metrics", |_, body| metric(body, &acknowledged("http")) == 1);
    first.stop();
    second.stop();
    let connection = duckdb::Connection::open(&store).unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM ja4_logs.http_logs", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2, "{}", std::fs::read_to_string(other.path("log")).unwrap());
}

#[test]
fn a_check_tells_what_this_machine_does_not_know() {
    let site = Site::new();
    for (flags, sentence) in [
        (["--http-users", "ja4-nobody-there"], "there is no user ja4-nobody-there on this machine"),
        (["--network-group", "ja4-nobody-there"], "there is no group ja4-nobody-there on this machine"),
    ] {
        let output = site.program().args(["--stdout", "--check"]).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("ja4-correlator: {sentence}\n"));
    }
    let output = site.program().args(["--stdout", "--check", "--file-keep", "-1"]).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "ja4-correlator: --file-keep -1: this may not be negative, nor that large\n"
    );
}

#[test]
fn after_start_it_is_not_root_and_cannot_become_it() {
    let site = Site::new();
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: not root, so there is nothing to give up");
        return;
    }
    let running = site.start(&["--stdout"]);
    let mut threads = 0;
    for task in std::fs::read_dir(format!("/proc/{}/task", running.child.id())).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("no {key} in {status}")).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(value("Uid").iter().chain(&value("Gid")).chain(&value("Groups")).all(|id| id != "0"), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(value(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(value("NoNewPrivs"), ["1"]);
        threads += 1;
    }
    assert!(threads >= 4, "{threads} threads");
    let mode = |name: &str| std::fs::symlink_metadata(site.path(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("run/http"), mode("run/network")), (0o660, 0o660));
    running.stop();
}

#[test]
fn settings_are_read_again_on_sighup_and_a_mistake_changes_nothing() {
    let site = Site::new();
    let path = site.path("c.toml");
    let first = site.path("out/first.jsonl");
    std::fs::write(&path, format!("stdout = true\nfile = \"{}\"\n", first.display())).unwrap();
    let settings = ["--config", path.to_str().unwrap(), "--http-delay-ms=0", "--network-delay-ms=0", "--window-ms=100"];
    let running = site.start(&settings);
    let log = || std::fs::read_to_string(site.path("log")).unwrap();
    let wait = |text: &str| {
        for _ in 0..500 {
            if log().contains(text) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("{text:?} is not in the log: {}", log());
    };
    let visit = |n: u32| {
        site.send("run/network", &handshake(n));
        site.send("run/http", &request(n));
    };
    visit(0);
    running.wait_for("/metrics", |_, body| metric(body, "ja4_rows_total{fate=\"sent\",sink=\"file\"}") == 1);
    std::fs::write(&path, "stdout = true\nsync_md = 5\n").unwrap();
    running.signal("HUP");
    wait("unknown field `sync_md`");
    let other = site.path("out/other.jsonl");
    let fresh = format!("stdout = true\nsync_ms = 5\nkeepalive_ms = 777\nfile = \"{}\"\n", other.display());
    std::fs::write(&path, &fresh).unwrap();
    running.signal("HUP");
    wait("needs a restart: keepalive_ms");
    wait("changed: sync_ms, file; reference tables are read again, files opened anew");
    std::fs::write(&path, fresh.replace("sync_ms", "http_users = [\"no-such-user\"]\nsync_ms")).unwrap();
    running.signal("HUP");
    wait("there is no user no-such-user; the settings stay as they were");
    assert!(running.get("/health").is_some_and(|(status, _)| status == 200));
    for line in log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["ts"].as_str().unwrap().ends_with('Z') && line["level"].is_string());
    }
    visit(1);
    running.wait_for("/metrics", |_, body| metric(body, &acknowledged("http")) == 2);
    running.stop();
    let paths =
        |name: &str| -> Vec<String> { site.rows(name).iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect() };
    assert_eq!((paths("out/first.jsonl"), paths("out/other.jsonl")), (vec!["/0".to_owned()], vec!["/1".to_owned()]));
}

#[test]
fn a_folder_open_to_everybody_is_refused_with_a_sentence() {
    let site = Site::new();
    std::fs::set_permissions(site.path("run"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let socket = site.path("run/http");
    let output = site
        .program()
        .args(["--stdout", "--network-socket=", "--listen=", "--http-socket", socket.to_str().unwrap()])
        .arg("--spool")
        .arg(site.path("out/spool"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().last().unwrap().contains("writable by everybody"), "{said}");
}
