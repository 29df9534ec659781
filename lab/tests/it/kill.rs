//! A replay killed at any instant and started again ends with the digests of an undisturbed one.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{LAB, digests, replay_site, site_small, text};

#[test]
#[allow(clippy::disallowed_methods, reason = "the instant of a kill is a wall-clock matter")]
fn killed_replays_end_where_an_undisturbed_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let whole = replay_site(&folder.path().join("whole.duckdb"), &[]);
    let whole_time = begin.elapsed();
    let (capture, log) = site_small();
    for round in 0..8_u32 {
        let db = folder.path().join(format!("killed-{round}.duckdb"));
        // Kill two or three times in one life, at instants spread over the run.
        for step in 0..=(round % 2) {
            let mut child = Command::new(LAB)
                .args(["replay", text(&capture), "--http-log", text(&log), "--db", text(&db), "--quiet", "--summary", "json"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let share = f64::from(round * 2 + step + 1) / 18.0;
            std::thread::sleep(Duration::from_secs_f64(whole_time.as_secs_f64() * share));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let resumed = replay_site(&db, &[]);
        assert_eq!(digests(&whole), digests(&resumed), "round {round}");
    }
}
