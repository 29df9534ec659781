//! Text out of an answer: plain, gzip, or the first file of a zip archive.
//!
//! Promises: no more than the limit is unpacked, whatever sizes the archive names; a damaged archive is refused, checksum and all.
//!
//! Read next: `formats.rs`.

use std::io::Read as _;

use flate2::Crc;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};

const END_OF_DIRECTORY: &[u8] = b"PK\x05\x06";
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL_ENTRY: &[u8] = b"PK\x03\x04";

/// The text of an answer, at most `most` bytes of it.
pub(super) fn text(bytes: &[u8], most: u64) -> Result<String, String> {
    let plain = if bytes.starts_with(&[0x1f, 0x8b]) {
        read(MultiGzDecoder::new(bytes), most)?
    } else if bytes.starts_with(LOCAL_ENTRY) {
        first_file(bytes, most)?
    } else {
        bytes.to_vec()
    };
    String::from_utf8(plain).map_err(|error| format!("it is no UTF-8 text (byte {})", error.utf8_error().valid_up_to()))
}

fn read(from: impl std::io::Read, most: u64) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut out).map_err(|error| format!("its archive is damaged: {error}"))?;
    if out.len() as u64 > most {
        return Err(format!("unpacked it is larger than the {most} bytes allowed (most_bytes)"));
    }
    Ok(out)
}

/// The first file of a zip archive, found by its directory (sizes in front of a file may be left open).
fn first_file(bytes: &[u8], most: u64) -> Result<Vec<u8>, String> {
    let damaged = || "its archive is damaged: the directory is cut off or points nowhere".to_owned();
    let number = |at: usize, width: usize| -> Option<usize> {
        let field = bytes.get(at..at.checked_add(width)?)?;
        Some(field.iter().rev().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
    };
    let sum = |parts: &[usize]| parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(*part));
    let end = bytes.windows(4).rposition(|window| window == END_OF_DIRECTORY).ok_or_else(damaged)?;
    let entry = number(end.saturating_add(16), 4).ok_or_else(damaged)?;
    if !bytes.get(entry..).is_some_and(|rest| rest.starts_with(DIRECTORY_ENTRY)) {
        return Err(damaged());
    }
    let field = |from: usize, offset: usize, width: usize| number(from.saturating_add(offset), width).ok_or_else(damaged);
    let (flags, method, wanted) = (field(entry, 8, 2)?, field(entry, 10, 2)?, field(entry, 16, 4)?);
    let (packed, local) = (field(entry, 20, 4)?, field(entry, 42, 4)?);
    if flags & 1 != 0 {
        return Err("its archive is encrypted".to_owned());
    }
    if !bytes.get(local..).is_some_and(|rest| rest.starts_with(LOCAL_ENTRY)) {
        return Err(damaged());
    }
    let start = sum(&[local, 30, field(local, 26, 2)?, field(local, 28, 2)?]).ok_or_else(damaged)?;
    let data = bytes.get(start..start.checked_add(packed).ok_or_else(damaged)?).ok_or_else(damaged)?;
    let out = match method {
        0 => read(data, most)?,
        8 => read(DeflateDecoder::new(data), most)?,
        other => return Err(format!("its archive is packed by method {other}; known are 0 (stored) and 8 (deflate)")),
    };
    let mut crc = Crc::new();
    crc.update(&out);
    if usize::try_from(crc.sum()) != Ok(wanted) {
        return Err("its archive is damaged: the checksum is another".to_owned());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// `a.txt` holding 600 times `row,1\n`, as `zip` writes it.
    fn archive(content: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(content).unwrap();
        let packed = packer.finish().unwrap();
        let mut crc = Crc::new();
        crc.update(content);
        let little = |value: usize, width: usize| value.to_le_bytes().get(..width).unwrap().to_vec();
        let sizes = [little(crc.sum() as usize, 4), little(packed.len(), 4), little(content.len(), 4)].concat();
        let local = [LOCAL_ENTRY, &[20, 0, 0, 0, 8, 0, 0, 0, 0, 0], &sizes, &[5, 0, 0, 0], b"a.txt", &packed].concat();
        let entry = [DIRECTORY_ENTRY, &[20, 0, 20, 0, 0, 0, 8, 0, 0, 0, 0, 0], &sizes, &[5, 0], &[0; 16], b"a.txt"].concat();
        let tail = [&[0; 4][..], &[1, 0, 1, 0], &little(entry.len(), 4), &little(local.len(), 4), &[0, 0]].concat();
        [local, entry, END_OF_DIRECTORY.to_vec(), tail].concat()
    }

    #[test]
    fn plain_gzip_and_zip_give_the_same_text_and_bombs_and_damage_do_not() {
        let content = b"row,1\n".repeat(600);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(&content).unwrap();
        let (gzip, zip) = (packer.finish().unwrap(), archive(&content));
        for bytes in [&content, &gzip, &zip] {
            assert_eq!(text(bytes, 3600).unwrap().len(), 3600);
        }
        for bytes in [&gzip, &zip] {
            assert!(text(bytes, 3599).unwrap_err().contains("larger than the 3599 bytes"));
        }
        assert!(text(&[0xff, 0xfe], 10).unwrap_err().contains("UTF-8"));
        // Every byte of the archive broken, and every length of it cut: the same text (the byte was not needed), or a refusal; what no
        // longer begins like an archive is the text that it is.
        let refused_or_same = |bytes: &[u8]| match text(bytes, 3600) {
            Ok(text) => text.len() == 3600 || !bytes.starts_with(LOCAL_ENTRY),
            Err(_) => true,
        };
        let broken = |place: usize| {
            zip.iter().enumerate().map(|(at, byte)| byte ^ if at == place { 0x55 } else { 0 }).collect::<Vec<u8>>()
        };
        for place in 0..zip.len() {
            assert!(refused_or_same(&broken(place)) && refused_or_same(&zip[..place]), "{place}");
        }
    }
}
