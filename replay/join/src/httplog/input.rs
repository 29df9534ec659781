//! Opens what a log may come in: a plain file, gzip (any number of members), zstd, a pipe; by magic, never by name.
//!
//! Promises: constant memory; files that are certainly no log (captures, archives, databases) are refused by a sentence.
//!
//! Read next: `source.rs`.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shown;
use crate::error::JoinError;

/// A decompressed stream and what is known of the stored bytes below it.
pub(super) struct Input {
    /// Name for messages, escaped.
    pub name: String,
    pub reader: Box<dyn Read + Send>,
    /// Stored (compressed) bytes read so far.
    pub bytes_read: Arc<AtomicU64>,
    /// Stored bytes in total, where it is a file.
    pub total_bytes: Option<u64>,
}

/// Largest window of a zstd frame: 2^27 bytes, what the `zstd` program accepts without `--long`.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

const STORED_BUFFER_BYTES: usize = 64 * 1024;

/// Opens a file; `-` is standard input.
pub(super) fn open(path: &Path) -> Result<Input, JoinError> {
    if path.as_os_str() == "-" {
        return from_reader("standard input", Box::new(io::stdin()), None);
    }
    let name = file_name(path);
    let fail = |source| JoinError::OpenLog { file: file_name(path), source };
    let file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(JoinError::NotALog { what: "a folder".into(), advice: "name the files in it", file: name });
    }
    let total = metadata.is_file().then_some(metadata.len());
    from_reader(&name, Box::new(file), total)
}

/// Wraps any reader.
pub(super) fn from_reader(name: &str, reader: Box<dyn Read + Send>, total_bytes: Option<u64>) -> Result<Input, JoinError> {
    let bytes_read = Arc::new(AtomicU64::new(0));
    let mut counted = Counted { inner: reader, bytes_read: Arc::clone(&bytes_read) };
    let fail = |source| JoinError::OpenLog { file: name.to_owned(), source };
    let head = read_head(&mut counted).map_err(fail)?;
    if let Some((what, advice)) = foreign(&head) {
        return Err(JoinError::NotALog { what: what.to_owned(), advice, file: name.to_owned() });
    }
    let gzip = head.starts_with(&[0x1f, 0x8b]);
    let zstd = head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let stored = Cursor::new(head).chain(counted);
    let reader: Box<dyn Read + Send> = if gzip {
        Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(STORED_BUFFER_BYTES, stored)))
    } else if zstd {
        let mut decoder = zstd::stream::read::Decoder::new(stored).map_err(fail)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(fail)?;
        Box::new(decoder)
    } else {
        Box::new(stored)
    };
    Ok(Input { name: name.to_owned(), reader, bytes_read, total_bytes })
}

/// A path as messages show it.
pub(super) fn file_name(path: &Path) -> String {
    shown(path.as_os_str().as_encoded_bytes(), 4_096)
}

struct Counted {
    inner: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes_read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Up to 16 bytes.
fn read_head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(16);
    reader.take(16).read_to_end(&mut head)?;
    Ok(head)
}

/// Well-known files that are no log: what it is and what to do.
fn foreign(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const CAPTURE: &str = "give it as a capture, without --http-log";
    const DECOMPRESS: &str = "decompress it first, or use gzip or zstd";
    const OTHER: &str = "give the server's access log";
    const MAGICS: &[(&[u8], &str, &str)] = &[
        (&[0xd4, 0xc3, 0xb2, 0xa1], "a packet capture (pcap)", CAPTURE),
        (&[0xa1, 0xb2, 0xc3, 0xd4], "a packet capture (pcap)", CAPTURE),
        (&[0x4d, 0x3c, 0xb2, 0xa1], "a packet capture (pcap)", CAPTURE),
        (&[0xa1, 0xb2, 0x3c, 0x4d], "a packet capture (pcap)", CAPTURE),
        (&[0x0a, 0x0d, 0x0d, 0x0a], "a packet capture (pcapng)", CAPTURE),
        (b"\xfd7zXZ\0", "compressed by xz", DECOMPRESS),
        (b"BZh", "compressed by bzip2", DECOMPRESS),
        (b"PK\x03\x04", "a ZIP archive", DECOMPRESS),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", DECOMPRESS),
        (b"\x04\x22\x4d\x18", "compressed by lz4", DECOMPRESS),
        (b"\x7fELF", "a program", OTHER),
        (b"SQLite format 3", "an SQLite database", OTHER),
        (b"PAR1", "a Parquet table", OTHER),
        (b"%PDF-", "a PDF document", OTHER),
        (b"\x89PNG", "a picture", OTHER),
        (&[0xff, 0xfe], "text in UTF-16", "convert it to UTF-8"),
        (&[0xfe, 0xff], "text in UTF-16", "convert it to UTF-8"),
    ];
    if head.get(8..12) == Some(b"DUCK") {
        return Some(("a DuckDB database", "give it as --db"));
    }
    MAGICS.iter().find(|(magic, _, _)| head.starts_with(magic)).map(|(_, what, advice)| (*what, *advice))
}
