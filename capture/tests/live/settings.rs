//! Settings: what is wrong is told in one sentence with file, line or flag, key, and what is allowed; what is right is printed back.

use std::process::{Command, Stdio};

use crate::support::{SENTINEL, events_of, json_lines, open_folder, recorded, run};

/// Exit status and the sentence.
fn refusal(args: &[&str]) -> (i32, String) {
    let output = run(args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "one sentence: {said}");
    (output.status.code().unwrap(), said.trim_end().to_owned())
}

#[test]
fn a_wrong_file_is_told_with_its_line() {
    let folder = open_folder();
    let path = folder.path().join("sentinel.toml");
    let name = path.to_str().unwrap();
    let cases = [
        ("interfaces = [\"lo\"]\nsnaplen = 3\n", "line 2: there is no key `snaplen`; allowed are interfaces, read, bpf, "),
        ("\ninclude = [\"10.0.0.0/40\"]\n", "line 2: `include`: \"10.0.0.0/40\" is no network; allowed are addresses and CIDR"),
        (
            "interfaces = [\"lo\"]\nbuffer_bytes = 10\n",
            "line 2: `buffer_bytes`: 10 is not allowed; allowed are 65536 to 2147483647",
        ),
        ("interfaces = [\"lo\"]\nbpf = \"tcp prt\"\n", "line 2: `bpf`: the packet filter \"tcp prt\" is not one: "),
        ("interfaces = [\"lo\"]\n\n[limits]\nflows = 0\n", "line 4: `limits.flows`: 0 is not allowed; a bound is at least 1"),
        ("interfaces = [\n", "line "),
    ];
    for (text, expected) in cases {
        std::fs::write(&path, text).unwrap();
        let (code, said) = refusal(&["--config", name]);
        assert_eq!(code, 1, "{said}");
        assert!(said.starts_with(&format!("ja4-sentinel: {name}, {expected}")), "{said}");
    }
    let (code, said) = refusal(&["-i", "lo,lo"]);
    assert_eq!(
        (code, said.as_str()),
        (1, "ja4-sentinel: the command line: `interfaces` names one twice; its packets would be seen twice")
    );
    std::fs::write(&path, "output = \"stdout\"\n").unwrap();
    let (_, said) = refusal(&["--config", name, "--check"]);
    assert!(said.starts_with(&format!("ja4-sentinel: {name}: `interfaces` is empty; name at least one")), "{said}");
    let (code, said) = refusal(&["--config", "/no/such/file.toml"]);
    assert_eq!(code, 1);
    assert!(said.starts_with("ja4-sentinel: cannot read the configuration /no/such/file.toml: "), "{said}");
}

#[test]
fn a_wrong_flag_an_unknown_interface_and_root_are_refused() {
    assert_eq!(refusal(&["--bogus"]).0, 2);
    let (code, said) = refusal(&["-i", "lo", "--exclude", "10.0.0.1/8"]);
    assert_eq!(
        (code, said.as_str()),
        (1, "ja4-sentinel: --exclude: \"10.0.0.1/8\" has bits behind its prefix; write 10.0.0.0/8")
    );
    let (code, said) = refusal(&["-i", "no-such-wire", "--output", "stdout"]);
    assert_eq!(code, 1);
    assert!(said.starts_with("ja4-sentinel: cannot open interface no-such-wire: "), "{said}");
    let folder = open_folder();
    let Some(capture) = recorded(folder.path()) else { return };
    for (user, why) in [("root", "user root is root; name another"), ("no-such-user", "there is no user no-such-user")] {
        let (code, said) = refusal(&["--read", capture.to_str().unwrap(), "--output", "stdout", "--user", user]);
        assert_eq!((code, said), (1, format!("ja4-sentinel: cannot change the user: {why}")));
    }
}

#[test]
fn check_prints_what_would_be_in_effect_and_takes_it_back() {
    let folder = open_folder();
    let path = folder.path().join("sentinel.toml");
    std::fs::write(&path, "interfaces = [\"eth7\"]\ninclude = [\"10.0.0.0/8\"]\n[limits]\nflows = 5\n").unwrap();
    let first = run(&["--config", path.to_str().unwrap(), "--check", "--queue-bytes", "70000"]);
    assert!(first.status.success());
    let text = String::from_utf8(first.stdout).unwrap();
    for line in ["interfaces = [\"eth7\"]", "include = [\"10.0.0.0/8\"]", "queue_bytes = 70000", "[limits]", "flows = 5"] {
        assert!(text.lines().any(|other| other == line), "{line} is not in {text}");
    }
    std::fs::write(&path, &text).unwrap();
    let second = run(&["--config", path.to_str().unwrap(), "--check"]);
    assert_eq!(String::from_utf8(second.stdout).unwrap(), text);
}

#[test]
fn lists_of_networks_choose_events_and_count_the_others() {
    let folder = open_folder();
    let Some(capture) = recorded(folder.path()) else { return };
    let (events, _) = events_of(&capture);
    let client = events[0]["src_ip"].as_str().unwrap();
    let theirs = events.iter().filter(|event| event["src_ip"] == client).cloned().collect::<Vec<_>>();
    let path = capture.to_str().unwrap();
    let kept = run(&["--read", path, "--output", "stdout", "--include", client, "--match", "client"]);
    assert_eq!(json_lines(&kept.stdout), theirs);
    let others = run(&["--read", path, "--output", "stdout", "--exclude", client]);
    assert_eq!(json_lines(&others.stdout).len(), events.len() - theirs.len());
    let figures = crate::support::figures(&String::from_utf8(others.stderr).unwrap());
    assert_eq!(figures["filtered"], theirs.len());
}

#[test]
fn a_user_without_rights_is_told_what_is_needed_and_may_read_captures() {
    let folder = open_folder();
    let (Some(capture), true) =
        (recorded(folder.path()), std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0"))
    else {
        eprintln!("skipped: only root can become someone else");
        return;
    };
    // The program may lie where others cannot look.
    let program = folder.path().join("sentinel");
    std::fs::copy(SENTINEL, &program).unwrap();
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]).arg(&program).args(args);
        command.stdin(Stdio::null()).output()
    };
    let Ok(refused) = as_nobody(&["-i", "lo", "--output", "stdout"]) else {
        eprintln!("skipped: setpriv is not installed");
        return;
    };
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("ja4-sentinel: cannot open interface lo: ") && said.contains("it needs root or CAP_NET_RAW"),
        "{said}"
    );
    let read = as_nobody(&["--read", capture.to_str().unwrap(), "--output", "stdout"]).unwrap();
    assert_eq!(json_lines(&read.stdout), events_of(&capture).0);
}
