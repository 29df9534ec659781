//! What an administrator sees: privileges in /proc, settings, signals, refusals.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::support::{Site, acknowledged, handshake, metric, request};

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
