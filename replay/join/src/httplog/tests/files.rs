//! Files: compression, damage inside and at the end, resuming, positions, the splitting of reads.

use std::io::Write as _;

use proptest::prelude::*;

use super::super::{HttpLog, HttpLogOptions, Position};
use super::{Pieces, combined, combined_lines, open_bytes, paths, read_all};

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

#[test]
fn compression_changes_nothing() {
    let text = combined_lines(0..500);
    let plain = read_all(open_bytes(text.clone()).unwrap());
    assert_eq!(plain.0.len(), 500);
    let (first, second) = text.split_at(text.len() / 3);
    let members = [gz(first.as_bytes()), gz(second.as_bytes())].concat();
    let frames = [zst(first.as_bytes()), zst(second.as_bytes())].concat();
    for stored in [gz(text.as_bytes()), members, zst(text.as_bytes()), frames] {
        let total = stored.len() as u64;
        let mut log =
            HttpLog::from_reader("test.log", Box::new(std::io::Cursor::new(stored)), Some(total), &HttpLogOptions::default())
                .unwrap();
        let events: Vec<_> = log.by_ref().collect();
        assert_eq!((&events, log.damage()), (&plain.0, &plain.1));
        assert_eq!((log.bytes_read(), log.total_bytes()), (total, Some(total)));
        assert_eq!(log.position(), Position { line: 501, byte_offset: text.len() as u64 });
    }
}

#[test]
fn a_compressed_file_cut_off_anywhere_keeps_what_is_before() {
    let text = combined_lines(0..40);
    let whole = read_all(open_bytes(text.clone()).unwrap()).0;
    for stored in [gz(text.as_bytes()), zst(text.as_bytes())] {
        for length in 1..stored.len() {
            match open_bytes(&stored[..length]) {
                Ok(log) => {
                    let (events, damage) = read_all(log);
                    assert!(whole.starts_with(&events), "cut at {length}");
                    assert!(damage.count() >= 1 || length < 4, "cut at {length} is silent");
                }
                // One to three bytes of a magic are a text of one odd line.
                Err(error) => assert!(length < 4, "cut at {length}: {error}"),
            }
        }
    }
}

#[test]
fn damage_inside_is_counted_with_its_position() {
    let mut bytes = format!("{}\r\n{}\n", combined(0), combined(1)).into_bytes();
    let offset = bytes.len() as u64;
    bytes.extend_from_slice(b"10.0.0.1 \x00\x00 binary\n");
    bytes.extend_from_slice(format!("{}\n", "y".repeat(1 << 20)).as_bytes());
    bytes.extend_from_slice(
        combined(2)
            .replace("UA", "caf\u{e9}")
            .replace('\u{e9}', "@")
            .as_bytes()
            .iter()
            .map(|b| if *b == b'@' { 0xe9 } else { *b })
            .collect::<Vec<_>>()
            .as_slice(),
    );
    let (events, damage) = read_all(open_bytes(bytes).unwrap());
    assert_eq!(paths(&events), ["/0", "/1", "/2"], "the last line has no line end and counts");
    assert_eq!(events[2].header("user-agent"), Some("caf\\xe9"));
    assert_eq!(damage.count(), 2);
    let first = &damage.first()[0];
    assert_eq!((first.position, first.reason.as_ref()), (Position { line: 3, byte_offset: offset }, "holds a NUL byte"));
    assert_eq!(damage.first()[1].position.line, 4);
}

#[test]
fn a_byte_order_mark_is_no_damage() {
    let (events, damage) = read_all(open_bytes(format!("\u{feff}{}\n", combined(1))).unwrap());
    assert_eq!((events.len(), damage.count()), (1, 0));
}

#[test]
fn times_may_jump() {
    let later = combined(1).replace("2000", "2024");
    let (events, damage) =
        read_all(open_bytes(format!("{}\n{later}\n{}\n", combined(0), combined(2).replace("2000", "9999"))).unwrap());
    assert_eq!((events.len(), damage.count()), (2, 1));
}

#[test]
fn reading_goes_on_from_any_position() {
    let text = combined_lines(0..200);
    let whole = read_all(open_bytes(text.clone()).unwrap()).0;
    for stop in [0, 1, 63, 64, 65, 150, 200] {
        let mut log = open_bytes(text.clone()).unwrap();
        let mut events: Vec<_> = log.by_ref().take(stop).collect();
        let position = log.position();
        assert_eq!(position.line, stop as u64 + 1);
        let mut rest = open_bytes(gz(text.as_bytes())).unwrap();
        rest.skip_to(position.byte_offset);
        assert_eq!(rest.position(), position);
        events.extend(rest);
        assert_eq!(events, whole);
    }
}

#[test]
fn a_failing_reader_ends_the_log_with_a_reason() {
    struct Fails;
    impl std::io::Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk\x1b is gone"))
        }
    }
    let reader = std::io::Read::chain(std::io::Cursor::new(combined_lines(0..3) + "10.0"), Fails);
    let log = HttpLog::from_reader("test.log", Box::new(reader), None, &HttpLogOptions::default()).unwrap();
    let (events, damage) = read_all(log);
    assert_eq!(events.len(), 3);
    assert_eq!(
        damage.first()[0].reason,
        "cannot be read further: the disk\\\\x1b is gone; an unfinished record of 4 bytes is lost".replace("\\\\", "\\")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn splitting_of_reads_changes_nothing(
        sizes in proptest::collection::vec(1usize..70, 1..9), noise in proptest::collection::vec(any::<u8>(), 0..80), at in 0usize..2_000, zip in any::<bool>(),
    ) {
        let text = combined_lines(0..30);
        let at = at.min(text.len());
        let mut bytes = [&text.as_bytes()[..at], &noise, &text.as_bytes()[at..]].concat();
        if zip {
            bytes = gz(&bytes);
        }
        let options = HttpLogOptions { format: "combined".parse().unwrap(), ..HttpLogOptions::default() };
        let whole = read_all(HttpLog::from_reader("a", Box::new(std::io::Cursor::new(bytes.clone())), None, &options).unwrap());
        let pieces = Pieces { bytes, at: 0, sizes, turn: 0 };
        let parts = read_all(HttpLog::from_reader("a", Box::new(pieces), None, &options).unwrap());
        prop_assert_eq!(&whole, &parts);
        prop_assert!(whole.0.len() + whole.1.count() as usize >= 29);
    }
}
