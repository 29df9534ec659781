//! From paths to readers: folders are walked, formats told by their first bytes, gzip and zstd unpacked as a stream.
//!
//! Promises: the order of arguments never matters (files are sorted by path, named twice means once); a folder without captures
//! is an error, other files in a folder are passed over; every error names the file.
//!
//! Read next: `merge.rs`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::error::{CaptureError, Damage};
use crate::source::map::FileMap;
use crate::source::pcap::{FILE_HEADER_BYTES, Header, PcapReader};
use crate::source::pcapng::{PcapNgReader, SECTION_HEADER};
use crate::source::window::{CountingReader, Window};
use crate::source::{Packet, PacketSource};

/// The name that means standard input.
pub const STDIN: &str = "-";
/// Folders nested deeper are not looked into.
const MAX_FOLDER_DEPTH: u32 = 32;

/// A reader of one capture. An enum, so that the packet loop calls it directly.
#[derive(Debug)]
pub enum FileSource {
    /// Classic format.
    Pcap(PcapReader),
    /// Block format.
    PcapNg(PcapNgReader),
}

macro_rules! each {
    ($self:ident, $reader:ident => $call:expr) => {
        match $self {
            FileSource::Pcap($reader) => $call,
            FileSource::PcapNg($reader) => $call,
        }
    };
}

impl PacketSource for FileSource {
    #[inline]
    fn advance(&mut self) -> bool {
        each!(self, reader => reader.advance())
    }

    #[inline]
    fn packet(&self) -> Packet<'_> {
        each!(self, reader => reader.packet())
    }

    fn maps(&self) -> Vec<Option<Arc<FileMap>>> {
        each!(self, reader => reader.maps())
    }

    #[inline]
    fn place_in_map(&self) -> Option<(usize, usize)> {
        each!(self, reader => reader.place_in_map())
    }

    fn bytes_read(&self) -> u64 {
        each!(self, reader => reader.bytes_read())
    }

    fn total_bytes(&self) -> Option<u64> {
        each!(self, reader => reader.total_bytes())
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        each!(self, reader => reader.take_damage())
    }

    #[inline]
    fn has_secrets(&self) -> bool {
        each!(self, reader => reader.has_secrets())
    }

    fn take_secrets(&mut self) -> Vec<Vec<u8>> {
        each!(self, reader => reader.take_secrets())
    }
}

/// Opens one capture, mapped if it is a plain file; [`STDIN`] reads standard input.
///
/// # Errors
/// [`CaptureError`] if the file cannot be opened, is empty, ends within its header or is no capture.
pub fn open(path: &Path) -> Result<FileSource, CaptureError> {
    open_with(path, true)
}

/// The same without mapping: the file is read in blocks, so that it may be cut off meanwhile.
///
/// # Errors
/// As [`open`].
pub fn open_streaming(path: &Path) -> Result<FileSource, CaptureError> {
    open_with(path, false)
}

fn open_with(path: &Path, mapped: bool) -> Result<FileSource, CaptureError> {
    if path.as_os_str() == STDIN {
        return from_reader(Box::new(io::stdin()), path, None);
    }
    let refused = |operation| move |source| CaptureError::Io { operation, path: path.to_owned(), source };
    let mut file = File::open(path).map_err(refused("open"))?;
    let metadata = file.metadata().map_err(refused("read the size of"))?;
    if metadata.is_dir() {
        return Err(CaptureError::Io { operation: "open", path: path.to_owned(), source: io::ErrorKind::IsADirectory.into() });
    }
    if !metadata.is_file() {
        return from_reader(Box::new(file), path, None);
    }
    let mut magic = [0; 4];
    let read = read_up_to(&mut file, &mut magic).map_err(refused("read"))?;
    let first = magic.get(..read).unwrap_or_default();
    if compression(first) == Compression::None && read > 0 && !mapped {
        io::Seek::rewind(&mut file).map_err(refused("read"))?;
        let taken = Arc::<AtomicU64>::default();
        let reader = Box::new(CountingReader::new(file, Arc::clone(&taken)));
        return from_window(Window::stream(reader, taken, Some(metadata.len())), path);
    }
    if compression(first) == Compression::None && read > 0 {
        let window = Window::mapped(FileMap::new(&file).map_err(refused("map"))?);
        return from_window(window, path);
    }
    io::Seek::rewind(&mut file).map_err(refused("read"))?;
    from_reader(Box::new(file), path, Some(metadata.len()))
}

/// Reads a capture from any stream. `name` is for messages; `total_bytes` for progress.
///
/// # Errors
/// As [`open`].
pub fn from_reader(reader: Box<dyn Read + Send>, name: &Path, total_bytes: Option<u64>) -> Result<FileSource, CaptureError> {
    let refused = |source| CaptureError::Io { operation: "read", path: name.to_owned(), source };
    let taken = Arc::<AtomicU64>::default();
    let mut reader = BufReader::with_capacity(128 * 1024, CountingReader::new(reader, Arc::clone(&taken)));
    let mut magic = [0; 4];
    let read = read_up_to(&mut reader, &mut magic).map_err(refused)?;
    let first = magic.get(..read).unwrap_or_default();
    let kind = compression(first);
    let whole = BufReader::with_capacity(64 * 1024, io::Cursor::new(first.to_vec()).chain(reader));
    let plain: Box<dyn Read + Send> = match kind {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(whole).map_err(refused)?),
    };
    let mut window = Window::stream(plain, taken, total_bytes);
    if kind != Compression::None && compression(window.peek(4)) != Compression::None {
        return Err(CaptureError::Nested { path: name.to_owned() });
    }
    from_window(window, name)
}

fn from_window(mut window: Window, path: &Path) -> Result<FileSource, CaptureError> {
    let name = path.display().to_string();
    let head = window.peek(FILE_HEADER_BYTES);
    let head_bytes = head.len();
    let head = head.get(..FILE_HEADER_BYTES).unwrap_or(head).to_vec();
    if head.is_empty() {
        return match window.take_read_error() {
            Some(error) => Err(CaptureError::Io { operation: "read", path: path.to_owned(), source: io::Error::other(error) }),
            None => Err(CaptureError::Empty { path: path.to_owned() }),
        };
    }
    if let Some(header) = Header::parse(&head) {
        return Ok(FileSource::Pcap(PcapReader::new(window, name, header)));
    }
    let magic = crate::bytes::be32(&head, 0);
    if magic == Some(SECTION_HEADER) && head_bytes >= 12 {
        return Ok(FileSource::PcapNg(PcapNgReader::new(window, name)));
    }
    let known = [0xa1b2_c3d4_u32, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1, 0xa1b2_cd34, 0x34cd_b2a1, SECTION_HEADER];
    let cut = |magic: &u32| magic.to_be_bytes().starts_with(head.get(..4).unwrap_or(&head));
    if head_bytes < FILE_HEADER_BYTES && known.iter().any(cut) {
        return Err(CaptureError::CutHeader { path: path.to_owned(), offset: head_bytes as u64 });
    }
    let mut first_bytes = Vec::new();
    for byte in head.iter().take(4) {
        crate::fingerprint::text::push_hex8(&mut first_bytes, *byte);
    }
    let first_bytes = crate::fingerprint::text::into_text(first_bytes);
    Err(CaptureError::NotACapture { path: path.to_owned(), first_bytes, hint: looks_like(&head) })
}

/// What people give by mistake in place of a capture.
fn looks_like(head: &[u8]) -> &'static str {
    match head {
        [_, _, _, _, _, _, _, _, b'D', b'U', b'C', b'K', ..] => "; it is a DuckDB database, which goes behind --db",
        [b's', b'n', b'o', b'o', b'p', 0, ..] | [b'X', b'C', b'P', 0, ..] | [b'G', b'M', b'B', b'U', ..] => {
            "; it is a capture of another kind, which `editcap -F pcapng IN OUT` of Wireshark converts"
        }
        _ if !head.is_empty() && head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)) => {
            "; it begins as text does: an HTTP log goes behind --http-log, a key log behind --keylog"
        }
        _ => "",
    }
}

/// Files of the paths given: folders are walked for captures, everything is sorted by path and listed once.
///
/// # Errors
/// A folder that cannot be listed or holds no capture; no path at all.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CaptureError> {
    if paths.is_empty() {
        return Err(CaptureError::NothingToRead);
    }
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() != STDIN && path.is_dir() {
            let before = files.len();
            walk(path, 0, &mut files)?;
            if files.len() == before {
                return Err(CaptureError::NoCaptures { path: path.clone() });
            }
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn walk(folder: &Path, depth: u32, files: &mut Vec<PathBuf>) -> Result<(), CaptureError> {
    let refused = |source| CaptureError::Io { operation: "list", path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        let kind = entry.file_type().map_err(refused)?;
        let path = entry.path();
        if kind.is_dir() && depth < MAX_FOLDER_DEPTH {
            walk(&path, depth.saturating_add(1), files)?;
        } else if path.is_file() && looks_like_a_capture(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether the first bytes are those of a capture, or of a compressed file that holds one.
fn looks_like_a_capture(path: &Path) -> bool {
    let mut magic = [0; 4];
    let Ok(mut file) = File::open(path) else { return false };
    let Ok(4) = read_up_to(&mut file, &mut magic) else { return false };
    if compression(&magic) != Compression::None {
        return open(path).is_ok();
    }
    let value = u32::from_be_bytes(magic);
    matches!(value, 0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0xa1b2_cd34 | 0x34cd_b2a1 | SECTION_HEADER)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

fn compression(first: &[u8]) -> Compression {
    match first {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        _ => Compression::None,
    }
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
