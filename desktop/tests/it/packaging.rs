//! The package's files: each is there, names and versions agree, and Debian's validators accept the metadata where they are installed.
//!
//! Promises: a validator that is not installed is told as skipped.
//!
//! Read next: `packaging/desktop/files.txt`, `packaging/desktop/build.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;

pub const TESTS: &[crate::Test] =
    &[("packaging::the_metadata_of_the_package_hold_together", the_metadata_of_the_package_hold_together)];

const ID: &str = "io.github.ja4_platform.Desktop";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn validate(program: &str, arguments: &[&str], file: &Path) {
    match Command::new(program).args(arguments).arg(file).output() {
        Ok(out) => assert!(
            out.status.success(),
            "{program} {}: {}{}",
            file.display(),
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        ),
        Err(_) => println!("skipped: {program} is not installed, so {} was not validated", file.display()),
    }
}

fn the_metadata_of_the_package_hold_together() {
    let list = std::fs::read_to_string(root().join("packaging/desktop/files.txt")).unwrap();
    let mut targets = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [mode, source, target] = parts[..] else { panic!("{line:?} is no mode, source and target") };
        assert!(matches!(mode, "644" | "755"), "{line}");
        assert!(source.starts_with("$BIN/") || root().join(source).is_file(), "{source} is not there");
        targets.push(target);
    }
    let entry_file = root().join(format!("packaging/desktop/{ID}.desktop"));
    let entry = std::fs::read_to_string(&entry_file).unwrap();
    let key = |name: &str| entry.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned();
    let program = key("Exec").split(' ').next().unwrap().to_owned();
    assert!(targets.contains(&format!("/usr/bin/{program}").as_str()));
    assert!(targets.contains(&format!("/usr/share/icons/hicolor/scalable/apps/{}.svg", key("Icon")).as_str()));
    let metainfo_file = root().join(format!("packaging/desktop/{ID}.metainfo.xml"));
    let metainfo = std::fs::read_to_string(&metainfo_file).unwrap();
    assert!(metainfo.contains(&format!("<id>{ID}</id>")) && metainfo.contains(&format!("{ID}.desktop</launchable>")));
    assert!(
        metainfo.contains(&format!("<release version=\"{}\"", env!("CARGO_PKG_VERSION"))),
        "the metadata name another version"
    );
    validate("desktop-file-validate", &[], &entry_file);
    validate("appstreamcli", &["validate", "--no-net"], &metainfo_file);
}
