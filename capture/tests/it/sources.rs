//! Captures in every form: formats, compression, folders, several files; and the sentences for what is none.

use std::io::Write;
use std::path::{Path, PathBuf};

use ja4_capture::{CaptureError, Options, Summary, fingerprint_files};

use crate::support::{ACK, CLIENT, Everything, Frame, SERVER, Tcp, connection, ethernet, ipv4, pcap, tcp};

fn names(paths: &[PathBuf]) -> Result<(Vec<String>, Summary), CaptureError> {
    let mut names = Vec::new();
    let summary = fingerprint_files(paths, &Options::default(), &mut |record| names.extend(record.sni))?;
    Ok((names, summary))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

fn block(kind: u32, body: &[u8], big: bool) -> Vec<u8> {
    let number = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let padded = body.len().next_multiple_of(4);
    let mut out = number(kind).to_vec();
    out.extend(number(padded as u32 + 12));
    out.extend(body);
    out.resize(padded + 8, 0);
    out.extend(number(padded as u32 + 12));
    out
}

/// A section of its own byte order with one interface of 2^-20 seconds, one hour early, put right by if_tsoffset.
fn section(frames: &[Frame], big: bool) -> Vec<u8> {
    let n32 = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let n16 = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let n64 = |n: i64| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut out = block(0x0a0d_0d0a, &[&n32(0x1a2b_3c4d)[..], &n16(1), &n16(0), &[0xff; 8]].concat(), big);
    let options = [&n16(9)[..], &n16(1), &[0x94, 0, 0, 0], &n16(14), &n16(8), &n64(3600), &[0; 4]].concat();
    out.extend(block(1, &[&n16(1)[..], &n16(0), &n32(0), &options].concat(), big));
    out.extend(block(0x0bad, b"a block nobody knows", big));
    for (ts_ns, data) in frames {
        let ticks = (((i128::from(*ts_ns) - 3_600_000_000_000) << 20) / 1_000_000_000) as u64;
        let length = n32(data.len() as u32);
        out.extend(block(
            6,
            &[&n32(0)[..], &n32((ticks >> 32) as u32), &n32(ticks as u32), &length, &length, data].concat(),
            big,
        ));
    }
    out
}

#[test]
fn plain_gzip_zstd_and_pcapng_give_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) =
        (connection(CLIENT, 1, 7_200_000_000_000, "one.example"), connection(CLIENT, 2, 7_201_000_000_000, "two.example"));
    let frames = [first.clone(), second.clone()].concat();
    let plain = pcap(&frames);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("compressed");
        encoder.finish().expect("compressed")
    };
    let (head, tail) = plain.split_at(500);
    let pcapng = [section(&first, false), section(&second, true)].concat();
    let forms = [
        ("plain", plain.clone()),
        ("two-members.gz", [gzip(head), gzip(tail)].concat()),
        ("misnamed.txt", zstd::stream::encode_all(&plain[..], 1).expect("compressed")),
        ("two-sections.pcap", pcapng),
    ];
    for (name, bytes) in forms {
        let path = write(folder.path(), name, &bytes);
        let (names, summary) = names(&[path]).expect(name);
        assert_eq!(names, ["one.example", "two.example"], "{name}");
        assert_eq!((summary.counters.packets, summary.damage_count), (14, 0), "{name}: {:?}", summary.damage);
        assert_eq!(summary.first_ns, Some(7_200_000_000_000), "{name}");
    }
}

#[test]
fn files_are_merged_by_time_and_folders_walked() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).expect("a folder");
    let frames = connection(CLIENT, 1, 1_000_000_000, "merged.example");
    let even = frames.iter().step_by(2).cloned().collect::<Vec<_>>();
    let odd = frames.iter().skip(1).step_by(2).cloned().collect::<Vec<_>>();
    let a = write(folder.path(), "b.pcap", &pcap(&even));
    let b = write(&inner, "a.pcap", &pcap(&odd));
    write(folder.path(), "notes.txt", b"not a capture");
    for paths in [vec![a.clone(), b.clone()], vec![b.clone(), a.clone(), a], vec![folder.path().to_owned()]] {
        let (names, summary) = names(&paths).expect("captures");
        assert_eq!((names, summary.files), (vec!["merged.example".to_owned()], 2));
        assert_eq!(summary.counters.packets, 7);
    }
}

#[test]
fn what_is_no_capture_gets_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, bytes: &[u8]| write(folder.path(), name, bytes);
    let told = |paths: &[PathBuf]| names(paths).expect_err("an error").to_string();
    assert!(told(&[path("empty", b"")]).contains("is empty"));
    assert!(
        told(&[path("text", b"GET / HTTP/1.1\r\nHost: example.org\r\n")])
            .contains("is not a capture: its first bytes are 47455420")
    );
    assert!(told(&[path("cut", &pcap(&[])[..20])]).contains("ends at byte 20"));
    assert!(told(&[path("cut4", &pcap(&[])[..4])]).contains("ends at byte 4"));
    assert!(told(&[folder.path().join("absent")]).contains("cannot open"));
    assert!(told(&[]).contains("no capture was named"));
    let empty_folder = tempfile::tempdir().expect("a folder");
    assert!(told(&[empty_folder.path().to_owned()]).contains("holds no captures"));
    // A header without packets is a capture.
    assert_eq!(names(&[path("bare", &pcap(&[]))]).expect("a capture").1.counters.packets, 0);
    // Among others, a file that fails is listed and the rest read.
    let good = path("good", &pcap(&connection(CLIENT, 1, 0, "good.example")));
    let (found, summary) = names(&[good, folder.path().join("text")]).expect("one capture");
    assert_eq!((found, summary.failed_files.len()), (vec!["good.example".to_owned()], 1));
}

#[test]
fn a_cut_gzip_keeps_what_came_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let frames =
        (0..200).flat_map(|n| connection(CLIENT, n, i64::from(n) * 1_000_000, &format!("n{n}.example"))).collect::<Vec<_>>();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&pcap(&frames)).expect("compressed");
    let bytes = encoder.finish().expect("compressed");
    let path = write(folder.path(), "cut.pcap.gz", &bytes[..bytes.len() * 2 / 3]);
    let (names, summary) = names(&[path]).expect("a capture");
    assert!(names.len() > 50, "{}", names.len());
    assert_eq!(summary.damage_count, 1);
    assert!(summary.damage[0].what.contains("reading stopped"), "{}", summary.damage[0]);
}

/// Many loads of every kind of frame in files that are mapped, and some that are not: what threads do with pages and places is seen
/// only where a capture is larger than what they hand over at one time.
#[test]
fn a_long_capture_gives_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut frames, data) = (Vec::new(), [23; 1400]);
    for n in 0..400_u16 {
        let start_ns = i64::from(n) * 40_000_000;
        frames.extend(connection(CLIENT, 1000 + n, start_ns, &format!("n{n}.example")));
        // Data of the connection before, which is finished, of one that nobody saw begin, and a datagram.
        for step in 0..40_u32 {
            let ts_ns = start_ns + 1_000_000 + i64::from(step) * 900_000;
            let port = if step % 5 == 4 { 500 } else { 999 + n };
            let bulk = Tcp {
                src: (SERVER, 443),
                dst: (CLIENT, port),
                seq: 7000 + step * 1400,
                ack: 1,
                flags: ACK,
                options: &[],
                payload: &data,
            };
            frames.push((ts_ns, tcp(&bulk)));
            frames.push((ts_ns, tcp(&Tcp { src: bulk.dst, dst: bulk.src, payload: &[], ..bulk })));
            if step % 10 == 0 {
                frames.push((ts_ns, ethernet(&ipv4(CLIENT, SERVER, 17, &[0, 53, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]))));
            }
        }
    }
    let long = pcap(&frames);
    let cut = write(folder.path(), "cut.pcap", &long[..long.len() - 5]);
    let other = write(folder.path(), "other.pcap", &pcap(&connection(CLIENT, 77, 3_000_000_000, "other.example")));
    let packed = write(folder.path(), "packed.pcap.zst", &zstd::encode_all(&long[..long.len() / 2], 1).expect("compressed"));
    for files in [vec![cut.clone()], vec![cut, other], vec![packed]] {
        let told = |threads| {
            let (mut sink, options) = (Everything::default(), Options { threads, ..Options::default() });
            let progress = &mut |_: &ja4_capture::Progress| std::ops::ControlFlow::Continue(());
            let summary = ja4_capture::run_files(&files, &options, &mut sink, progress).expect("a capture");
            (sink.records, sink.events, summary)
        };
        let one = told(1);
        assert!(one.0.len() >= 200 && one.1.len() >= 200 && one.2.counters.packets > 16_000 && one.2.damage_count == 1);
        for threads in [2, 3] {
            let several = told(threads);
            assert_eq!(
                (&one.2.counters, &one.2.damage),
                (&several.2.counters, &several.2.damage),
                "{threads} threads, {files:?}"
            );
            assert!((&one.0, &one.1) == (&several.0, &several.1), "{threads} threads give other results, {files:?}");
        }
    }
}
