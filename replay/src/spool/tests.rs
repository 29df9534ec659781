//! A spool under every kind of harm: bytes flipped, zeroed, cut at random places; crashes at every byte; full and read-only disks.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

const SMALL: Limits = Limits {
    segment_bytes: 2_000,
    total_bytes: 1 << 20,
    keep_bytes: 1 << 20,
    when_full: WhenFull::Refuse,
    batch_records: 7,
    batch_bytes: 600,
};

/// A folder in memory where there is one: these tests wait for thousands of fsyncs.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn payload(number: u64) -> Vec<u8> {
    let length = usize::try_from(number * 37 % 190).unwrap();
    format!("{number}:").into_bytes().into_iter().chain(std::iter::repeat_n(b'J', length)).collect()
}

fn number(record: &Stored) -> u64 {
    let text = std::str::from_utf8(&record.payload).unwrap();
    let number = text.split(':').next().unwrap().parse().unwrap();
    assert_eq!(record.payload, payload(number), "a record is whole or not there");
    number
}

/// Groups of 1, 2 and 3 records, 1..=count, each synced.
fn fill(folder: &Path, limits: &Limits, count: u64) -> Spool {
    let (mut spool, recovery) = Spool::open(folder, limits, &["main"]).unwrap();
    assert!(recovery.is_clean());
    let mut next = 1;
    while next <= count {
        let payloads: Vec<Vec<u8>> = (next..=count.min(next + next % 3)).map(payload).collect();
        next += payloads.len() as u64;
        let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record { kind: 1, payload }).collect();
        spool.append(&records).unwrap();
        spool.sync().unwrap();
    }
    spool
}

fn all(spool: &Spool) -> Vec<u64> {
    let mut reader = spool.records(1, u64::MAX);
    std::iter::from_fn(|| reader.next_record().unwrap()).map(|record| number(&record)).collect()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.sort();
    paths
}

#[test]
fn what_was_appended_comes_back_in_order_and_batches_stay_the_same_until_committed() {
    let folder = folder();
    let mut spool = fill(folder.path(), &SMALL, 100);
    let first = spool.next_batch("main").unwrap().unwrap();
    assert_eq!(first, spool.next_batch("main").unwrap().unwrap());
    // More records change nothing about a batch that was handed out, in this life or the next.
    spool.append(&[Record { kind: 1, payload: &payload(101) }]).unwrap();
    spool.sync().unwrap();
    drop(spool);
    let (mut spool, recovery) = Spool::open(folder.path(), &SMALL, &["main"]).unwrap();
    assert!(recovery.is_clean(), "{recovery:?}");
    assert_eq!(recovery.records, 101);
    let mut given = Vec::new();
    let mut tokens = std::collections::BTreeSet::new();
    let mut again = spool.next_batch("main").unwrap();
    assert_eq!(again.as_ref(), Some(&first));
    while let Some(batch) = again {
        assert!(batch.records.len() <= 7 && tokens.insert(batch.token.clone()));
        given.extend(batch.records.iter().map(number));
        spool.commit("main", &batch).unwrap();
        again = spool.next_batch("main").unwrap();
    }
    assert_eq!(given, (1..=101).collect::<Vec<_>>());
    assert_eq!(spool.rewind("main").unwrap(), 1);
    assert_eq!(spool.next_batch("main").unwrap().unwrap().records.len(), first.records.len());
}

#[test]
fn a_frame_inside_a_payload_is_part_of_the_payload_wherever_a_window_ends() {
    let folder = folder();
    let (mut spool, _) = Spool::open(folder.path(), &Limits::default(), &["main"]).unwrap();
    // What a visitor could send: whole frames of places that are still to come, longer than what is read at once.
    let mut forged = Vec::new();
    (1..40).for_each(|seq| frame::write_frame(&mut forged, seq, 1, 3, b"forged"));
    let payloads: Vec<Vec<u8>> = (0..20).map(|shift| [vec![b'.'; shift * 7], forged.clone()].concat()).collect();
    for payload in &payloads {
        spool.append(&[Record { kind: 2, payload }]).unwrap();
    }
    spool.sync().unwrap();
    let batch = spool.next_batch("main").unwrap().unwrap();
    assert!(batch.records.iter().map(|record| &record.payload).eq(&payloads));
}

#[test]
fn a_batch_weighs_no_more_than_asked_and_holds_at_least_one_record() {
    let folder = folder();
    let mut spool = fill(folder.path(), &Limits::default(), 10);
    let mut sizes = Vec::new();
    for most in [3, 0, 100] {
        let batch = spool.next_batch_within("main", most, |_| 1).unwrap().unwrap();
        // What was decided stays, whatever is asked for the second time.
        assert_eq!(spool.next_batch_within("main", 1000, |_| 1).unwrap().unwrap(), batch);
        sizes.push(batch.records.len());
        spool.commit("main", &batch).unwrap();
    }
    assert_eq!(sizes, [3, 1, 6]);
}

#[test]
fn only_what_was_synced_is_handed_out() {
    let folder = folder();
    let (mut spool, _) = Spool::open(folder.path(), &SMALL, &["main"]).unwrap();
    spool.append(&[Record { kind: 1, payload: &payload(1) }]).unwrap();
    assert_eq!(spool.next_batch("main").unwrap(), None);
    assert_eq!(spool.sync().unwrap(), 1);
    assert_eq!(spool.next_batch("main").unwrap().unwrap().records.len(), 1);
}

#[test]
fn a_second_process_is_refused() {
    let folder = folder();
    let _spool = fill(folder.path(), &SMALL, 1);
    let error = Spool::open(folder.path(), &SMALL, &[]).unwrap_err();
    assert!(matches!(error, SpoolError::Locked { .. }), "{error}");
}

#[test]
fn a_group_longer_than_the_bound_is_taken_once_all_before_it_was_delivered() {
    let folder = folder();
    let limits = Limits { total_bytes: 10_000, keep_bytes: 8_000, ..SMALL };
    let (mut spool, _) = Spool::open(folder.path(), &limits, &["main"]).unwrap();
    let long = vec![b'x'; 30_000];
    for round in 0..3 {
        spool.append(&[Record { kind: 1, payload: &payload(1) }]).unwrap();
        spool.sync().unwrap();
        let error = spool.append(&[Record { kind: 1, payload: &long }]).unwrap_err();
        assert!(matches!(error, SpoolError::Full { .. }), "{round}: {error}");
        while let Some(batch) = spool.next_batch("main").unwrap() {
            spool.commit("main", &batch).unwrap();
        }
        spool.append(&[Record { kind: 1, payload: &long }]).unwrap();
        spool.sync().unwrap();
        assert!(!segments(folder.path()).is_empty());
        while let Some(batch) = spool.next_batch("main").unwrap() {
            spool.commit("main", &batch).unwrap();
        }
    }
    // What was delivered goes, but never the last segment.
    assert!(spool.stats().bytes < 65_000, "{}", spool.stats().bytes);
}

#[test]
fn the_bound_holds_whether_it_refuses_or_drops() {
    for when_full in [WhenFull::Refuse, WhenFull::DropOldest] {
        let folder = folder();
        let limits = Limits { total_bytes: 10_000, keep_bytes: 0, when_full, ..SMALL };
        let (mut spool, _) = Spool::open(folder.path(), &limits, &["main"]).unwrap();
        let mut refused = 0;
        for n in 1..=200 {
            match spool.append(&[Record { kind: 1, payload: &payload(n) }]) {
                Ok(_) => drop(spool.sync().unwrap()),
                Err(error) => {
                    assert!(matches!(error, SpoolError::Full { .. }) && error.may_pass(), "{error}");
                    refused += 1;
                }
            }
            let on_disk: u64 = segments(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
            assert!(on_disk <= 10_000 && on_disk == spool.stats().bytes, "{on_disk}");
        }
        let left = all(&spool);
        match when_full {
            WhenFull::Refuse => {
                assert_eq!(left.len() as u64 + refused, 200);
                // Delivering makes room.
                while let Some(batch) = spool.next_batch("main").unwrap() {
                    spool.commit("main", &batch).unwrap();
                }
                spool.append(&[Record { kind: 1, payload: &payload(500) }]).unwrap();
            }
            WhenFull::DropOldest => {
                assert_eq!(refused, 0);
                assert_eq!(left.last(), Some(&200));
                assert_eq!(spool.stats().dropped_records, left[0] - 1);
            }
        }
    }
}

#[test]
fn delivered_segments_go_unless_they_are_kept_to_rebuild_from() {
    for (keep_bytes, some_left) in [(0, false), (1 << 20, true)] {
        let folder = folder();
        let mut spool = fill(folder.path(), &Limits { keep_bytes, ..SMALL }, 100);
        while let Some(batch) = spool.next_batch("main").unwrap() {
            spool.commit("main", &batch).unwrap();
        }
        assert_eq!(spool.first_seq() == 1, some_left);
        assert_eq!(segments(folder.path()).len() > 1, some_left);
    }
}

/// The last written segment cut at every byte: a crash may leave any prefix.
#[test]
fn a_crash_at_any_byte_loses_nothing_that_was_acknowledged_before_it() {
    let origin = folder();
    let limits = Limits { segment_bytes: 1 << 20, ..SMALL };
    let (mut spool, _) = Spool::open(origin.path(), &limits, &["main"]).unwrap();
    // Where each group ends in the file, and how many records are whole there.
    let mut ends = vec![(0, 0), (24, 0)];
    let mut next = 1;
    while next <= 24 {
        let payloads: Vec<Vec<u8>> = (next..=next + next % 3).map(payload).collect();
        next += payloads.len() as u64;
        let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record { kind: 1, payload }).collect();
        spool.append(&records).unwrap();
        ends.push((spool.stats().bytes, next - 1));
    }
    drop(spool);
    let path = segments(origin.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        let folder = folder();
        let copy = folder.path().join(path.file_name().unwrap());
        fs::write(&copy, &whole[..cut]).unwrap();
        let (mut spool, recovery) = Spool::open(folder.path(), &limits, &["main"]).unwrap();
        let kept = ends.iter().rfind(|(end, _)| *end <= cut as u64).unwrap().1;
        assert_eq!(all(&spool), (1..=kept).collect::<Vec<_>>(), "cut at {cut}");
        assert!(recovery.lost.is_empty(), "cut at {cut}: {recovery:?}");
        let whole_groups = ends.iter().any(|(end, _)| *end == cut as u64);
        assert_eq!(recovery.unfinished.is_some(), !whole_groups && cut > 24, "cut at {cut}: {recovery:?}");
        // Life goes on behind it.
        let last = spool.append(&[Record { kind: 1, payload: &payload(900) }]).unwrap();
        assert_eq!(last, kept + 1);
        spool.sync().unwrap();
        drop(spool);
        let (spool, recovery) = Spool::open(folder.path(), &limits, &["main"]).unwrap();
        assert!(recovery.lost.is_empty() && recovery.unfinished.is_none(), "cut at {cut}: {recovery:?}");
        assert_eq!(all(&spool).last(), Some(&900));
    }
}

#[test]
fn what_was_acknowledged_and_cut_off_afterwards_is_told_exactly() {
    let folder = folder();
    drop(fill(folder.path(), &Limits { segment_bytes: 1 << 20, ..SMALL }, 50));
    let path = segments(folder.path()).remove(0);
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length * 2 / 3).unwrap();
    let (spool, recovery) = Spool::open(folder.path(), &SMALL, &["main"]).unwrap();
    let kept = all(&spool).len() as u64;
    assert_eq!(recovery.lost.len(), 1, "{recovery:?}");
    assert_eq!((recovery.lost_records(), recovery.lost[0].seqs.clone()), (50 - kept, kept + 1..51));
    assert!(recovery.lost[0].to_string().contains("records were lost"), "{}", recovery.lost[0]);
}

#[test]
fn a_missing_segment_is_told() {
    let folder = folder();
    drop(fill(folder.path(), &SMALL, 100));
    let paths = segments(folder.path());
    let seq = |path: &Path| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    fs::remove_file(&paths[1]).unwrap();
    let (spool, recovery) = Spool::open(folder.path(), &SMALL, &["main"]).unwrap();
    assert_eq!(recovery.lost[0].seqs, seq(&paths[1])..seq(&paths[2]));
    assert_eq!(all(&spool).len() as u64, 100 - recovery.lost_records());
}

#[test]
fn a_full_disk_and_a_read_only_one_are_told_and_overcome() {
    let folder = folder();
    let mount = folder.path().join("small");
    fs::create_dir(&mount).unwrap();
    let run = |args: &[&str]| std::process::Command::new("mount").args(args).arg(&mount).status().is_ok_and(|s| s.success());
    if !run(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        eprintln!("skipped: a small tmpfs cannot be mounted here (needs root)");
        return;
    }
    let mut spool = fill(&mount, &SMALL, 20);
    let ballast = mount.join("ballast");
    let _ = fs::write(&ballast, vec![0; 1 << 20]);
    let mut accepted = 20;
    let error = loop {
        match spool.append(&[Record { kind: 1, payload: &payload(accepted + 1) }]) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("the disk is full") && error.may_pass(), "{error}");
    // A segment that was closed on the way made its records durable.
    assert!(all(&spool).starts_with(&(1..=20).collect::<Vec<_>>()));
    fs::remove_file(&ballast).unwrap();
    spool.append(&[Record { kind: 1, payload: &payload(accepted + 1) }]).unwrap();
    spool.sync().unwrap();
    assert_eq!(all(&spool), (1..=accepted + 1).collect::<Vec<_>>());
    drop(spool);
    assert!(run(&["-o", "remount,ro"]));
    let error = Spool::open(&mount, &SMALL, &["main"]).unwrap_err();
    assert!(error.to_string().contains("the file system is read-only"), "{error}");
    assert!(run(&["-o", "remount,rw"]));
    let (spool, recovery) = Spool::open(&mount, &SMALL, &["main"]).unwrap();
    assert!(recovery.is_clean(), "{recovery:?}");
    assert_eq!(all(&spool).len() as u64, accepted + 1);
    drop(spool);
    assert!(std::process::Command::new("umount").arg(&mount).status().unwrap().success());
}

#[derive(Debug, Clone)]
enum Harm {
    Flip(usize),
    Zero(usize, usize),
    Cut(usize),
    Insert(usize, Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        any::<usize>().prop_map(Harm::Flip),
        (any::<usize>(), 1..300_usize).prop_map(|(at, length)| Harm::Zero(at, length)),
        any::<usize>().prop_map(Harm::Cut),
        (any::<usize>(), prop::collection::vec(any::<u8>(), 1..60)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
    ]
}

fn apply(bytes: &mut Vec<u8>, harm: &Harm) {
    let place = |at: usize| at % bytes.len().max(1);
    match harm {
        Harm::Flip(at) => {
            let (at, bit) = (place(*at), at % 8);
            bytes[at] ^= 1 << bit;
        }
        Harm::Zero(at, length) => {
            let at = place(*at);
            let end = (at + length).min(bytes.len());
            bytes[at..end].fill(0);
        }
        Harm::Cut(at) => bytes.truncate(place(*at)),
        Harm::Insert(at, more) => drop(bytes.splice(place(*at)..place(*at), more.iter().copied()).count()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any harm to any segment: it starts, gives exactly the records it does not report, in order and whole, and goes on.
    #[test]
    fn damage_anywhere_is_survived_and_told_exactly(which in any::<usize>(), harms in prop::collection::vec(harm(), 1..4)) {
        let folder = folder();
        drop(fill(folder.path(), &SMALL, 60));
        let paths = segments(folder.path());
        let path = &paths[which % paths.len()];
        let mut bytes = fs::read(path).unwrap();
        for harm in &harms {
            if !bytes.is_empty() {
                apply(&mut bytes, harm);
            }
        }
        fs::write(path, &bytes).unwrap();
        let (mut spool, recovery) = Spool::open(folder.path(), &SMALL, &["main"]).unwrap();
        let mut expected: Vec<u64> = (1..=60).collect();
        for lost in &recovery.lost {
            expected.retain(|seq| !lost.seqs.contains(seq));
        }
        prop_assert_eq!(all(&spool), expected.clone(), "{:?}", recovery);
        prop_assert_eq!(recovery.lost_records(), 60 - expected.len() as u64);
        let last = spool.append(&[Record { kind: 1, payload: &payload(61) }]).unwrap();
        prop_assert_eq!(last, 61);
        spool.sync().unwrap();
        let mut given = Vec::new();
        while let Some(batch) = spool.next_batch("main").unwrap() {
            given.extend(batch.records.iter().map(number));
            spool.commit("main", &batch).unwrap();
        }
        expected.push(61);
        prop_assert_eq!(given, expected);
    }

    /// A damaged cursor delivers again; it never skips.
    #[test]
    fn a_damaged_cursor_never_loses(at in any::<usize>(), bit in 0..8_u8) {
        let folder = folder();
        let mut spool = fill(folder.path(), &SMALL, 30);
        let batch = spool.next_batch("main").unwrap().unwrap();
        spool.commit("main", &batch).unwrap();
        drop(spool);
        let path = folder.path().join("main.cursor");
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        let (mut spool, recovery) = Spool::open(folder.path(), &SMALL, &["main"]).unwrap();
        prop_assert_eq!(&recovery.damaged_cursors, &["main".to_owned()]);
        prop_assert_eq!(number(&spool.next_batch("main").unwrap().unwrap().records[0]), 1);
    }
}
