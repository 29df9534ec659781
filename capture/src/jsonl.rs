//! Writers of connection records: JSON lines and CSV.
//!
//! Promises: one record a line, UTF-8; a CSV cell that a spreadsheet would take for a formula gets a quote in front; lists within
//! a cell are joined by blanks.
//!
//! Read next: `record.rs`.

use std::io::{self, Write};
use std::net::IpAddr;

use crate::record::ConnectionRecord;

/// Writes one record as a JSON line.
///
/// # Errors
/// Whatever the writer says; a closed pipe is for the caller to take as success.
pub fn write_json_line(out: &mut impl Write, record: &ConnectionRecord) -> io::Result<()> {
    let mut line = Vec::with_capacity(2048);
    push_json_line(&mut line, record);
    out.write_all(&line)
}

/// Appends one record as a JSON line: the text that `serde_json` writes for it (a test compares), without its cost.
pub fn push_json_line(line: &mut Vec<u8>, record: &ConnectionRecord) {
    let r = record;
    line.extend_from_slice(b"{\"src\":\"");
    push_address(line, r.src);
    line.extend_from_slice(b"\",\"sport\":");
    push_number(line, u64::from(r.sport));
    line.extend_from_slice(b",\"dst\":\"");
    push_address(line, r.dst);
    line.extend_from_slice(b"\",\"dport\":");
    push_number(line, u64::from(r.dport));
    line.extend_from_slice(b",\"transport\":\"");
    line.extend_from_slice(r.transport.as_str().as_bytes());
    line.extend_from_slice(b"\",\"start_ns\":");
    if r.start_ns < 0 {
        line.push(b'-');
    }
    push_number(line, r.start_ns.unsigned_abs());
    push_member(line, ",\"sni\":", r.sni.as_deref());
    push_list(line, ",\"alpn\":", &r.alpn);
    for (name, value) in [
        (",\"ja3\":", r.ja3()),
        (",\"ja3_raw\":", r.ja3_raw()),
        (",\"ja3s\":", r.ja3s()),
        (",\"ja3s_raw\":", r.ja3s_raw()),
        (",\"ja4\":", r.ja4()),
        (",\"ja4_r\":", r.ja4_r()),
        (",\"ja4_o\":", r.ja4_o()),
        (",\"ja4_ro\":", r.ja4_ro()),
        (",\"ja4s\":", r.ja4s()),
        (",\"ja4s_r\":", r.ja4s_r()),
    ] {
        push_member(line, name, value);
    }
    push_list(line, ",\"ja4h\":", &r.ja4h);
    push_list(line, ",\"ja4h_r\":", &r.ja4h_r);
    for (name, value) in
        [(",\"ja4t\":", &r.ja4t), (",\"ja4ts\":", &r.ja4ts), (",\"ja4l_c\":", &r.ja4l_c), (",\"ja4l_s\":", &r.ja4l_s)]
    {
        push_member(line, name, value.as_deref());
    }
    push_list(line, ",\"ja4x\":", &r.ja4x);
    push_list(line, ",\"ja4ssh\":", &r.ja4ssh);
    push_list(line, ",\"h2\":", &r.h2);
    line.extend_from_slice(b"}\n");
}

fn push_member(line: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line.extend_from_slice(name.as_bytes());
        push_string(line, value);
    }
}

fn push_list(line: &mut Vec<u8>, name: &str, values: &[String]) {
    let Some((first, others)) = values.split_first() else { return };
    line.extend_from_slice(name.as_bytes());
    line.push(b'[');
    push_string(line, first);
    for other in others {
        line.push(b',');
        push_string(line, other);
    }
    line.push(b']');
}

/// A JSON string (RFC 8259 §7). What needs no escape, which is nearly everything, is copied at once.
fn push_string(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    let bytes = text.as_bytes();
    if !has_special(bytes) {
        line.extend_from_slice(bytes);
    } else {
        bytes.iter().for_each(|byte| push_escaped(line, *byte));
    }
    line.push(b'"');
}

/// Whether anything is to be escaped, sixteen bytes at a time without branches.
fn has_special(bytes: &[u8]) -> bool {
    let special = |byte: &u8| u8::from(*byte < 0x20) | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
    let any = |bytes: &[u8; 16]| bytes.iter().fold(0, |found, byte| found | special(byte)) != 0;
    match bytes.last_chunk::<16>() {
        Some(last) => bytes.as_chunks().0.iter().any(any) || any(last),
        None => bytes.iter().fold(0, |found, byte| found | special(byte)) != 0,
    }
}

fn push_escaped(line: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0..0x20 => {
            line.extend_from_slice(b"\\u00");
            line.push(b'0' + (byte >> 4));
            line.push(if byte & 15 < 10 { b'0' + (byte & 15) } else { b'a' + (byte & 15) - 10 });
            return;
        }
        _ => return line.push(byte),
    };
    line.extend_from_slice(&[b'\\', letter]);
}

fn push_address(line: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (place, octet) in v4.octets().into_iter().enumerate() {
                if place > 0 {
                    line.push(b'.');
                }
                push_number(line, u64::from(octet));
            }
        }
        IpAddr::V6(v6) => line.extend_from_slice(v6.to_string().as_bytes()),
    }
}

fn push_number(line: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut used = 0_usize;
    for place in digits.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    line.extend_from_slice(digits.get(digits.len().saturating_sub(used)..).unwrap_or_default());
}

/// Columns of the CSV form, in order.
pub const CSV_COLUMNS: [&str; 26] = [
    "src",
    "sport",
    "dst",
    "dport",
    "transport",
    "start_ns",
    "sni",
    "alpn",
    "ja3",
    "ja3_raw",
    "ja3s",
    "ja3s_raw",
    "ja4",
    "ja4_r",
    "ja4_o",
    "ja4_ro",
    "ja4s",
    "ja4s_r",
    "ja4h",
    "ja4t",
    "ja4ts",
    "ja4l_c",
    "ja4l_s",
    "ja4x",
    "ja4ssh",
    "h2",
];

/// Writes the header line of the CSV form.
///
/// # Errors
/// Whatever the writer says.
pub fn write_csv_header(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", CSV_COLUMNS.join(","))
}

/// Appends one record as a CSV line.
pub fn push_csv_line(line: &mut Vec<u8>, record: &ConnectionRecord) {
    // A vector takes whatever it is given.
    let _ = write_csv_line(line, record);
}

/// Writes one record as a CSV line (RFC 4180).
///
/// # Errors
/// Whatever the writer says.
pub fn write_csv_line(out: &mut impl Write, record: &ConnectionRecord) -> io::Result<()> {
    let r = record;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let hello = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let list = |values: &[String]| values.join(" ");
    let cells = [
        r.src.to_string(),
        r.sport.to_string(),
        r.dst.to_string(),
        r.dport.to_string(),
        r.transport.as_str().to_owned(),
        r.start_ns.to_string(),
        text(&r.sni),
        list(&r.alpn),
        hello(r.ja3()),
        hello(r.ja3_raw()),
        hello(r.ja3s()),
        hello(r.ja3s_raw()),
        hello(r.ja4()),
        hello(r.ja4_r()),
        hello(r.ja4_o()),
        hello(r.ja4_ro()),
        hello(r.ja4s()),
        hello(r.ja4s_r()),
        list(&r.ja4h),
        text(&r.ja4t),
        text(&r.ja4ts),
        text(&r.ja4l_c),
        text(&r.ja4l_s),
        list(&r.ja4x),
        list(&r.ja4ssh),
        list(&r.h2),
    ];
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        out.write_all(csv_cell(cell).as_bytes())?;
    }
    out.write_all(b"\n")
}

fn csv_cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let special = text.contains([',', '"', '\n', '\r']);
    let guarded = if formula { format!("'{text}") } else { text.to_owned() };
    if special { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::ja4::Ja4;
    use crate::fingerprint::{ClientTexts, ServerTexts};
    use ja4_event::Transport;
    use std::sync::Arc;

    proptest::proptest! {
        #[test]
        fn json_lines_are_what_serde_json_writes(
            texts in proptest::collection::vec("\\PC{0,12}|[\\x00-\\x7f]{0,40}", 14),
            lists in proptest::collection::vec(proptest::collection::vec("[\\x00-\\x7f]{0,5}", 0..3), 6),
            present: u16,
            ports: (u16, u16),
            start_ns: i64,
            v4: [u8; 4],
            v6: [u16; 8],
        ) {
            let (src, dst) = (IpAddr::from(v4), IpAddr::from(v6));
            let mut record = ConnectionRecord::new((src, ports.0), (dst, ports.1), Transport::Udp, start_ns, 1);
            let [alpn, ja4h, ja4h_r, ja4x, ja4ssh, h2] = <[Vec<String>; 6]>::try_from(lists).unwrap();
            (record.alpn, record.ja4h, record.ja4h_r, record.ja4x, record.ja4ssh, record.h2) =
                (alpn, ja4h, ja4h_r, ja4x, ja4ssh, h2);
            let [sni, ja4t, ja4l_c, ja4s, ja4s_r, others @ ..] = <[String; 14]>::try_from(texts).unwrap();
            let there = |bit: u32, text: String| Some(text).filter(|_| present >> bit & 1 == 1);
            (record.sni, record.ja4t, record.ja4l_s) = (there(0, sni), there(1, ja4t), there(2, ja4l_c));
            let [ja3, ja3_raw, ja4, ja4_r, ja4_o, ja4_ro, ja3s, ja3s_raw, _] = others;
            let client = ClientTexts { ja3_raw, ja3, ja4: Ja4 { ja4, ja4_r, ja4_o, ja4_ro } };
            record.client = Some(client).filter(|_| present >> 3 & 1 == 1).map(Arc::new);
            let server = ServerTexts { ja3s_raw, ja3s, ja4s: there(5, ja4s), ja4s_r: there(6, ja4s_r) };
            record.server = Some(server).filter(|_| present >> 4 & 1 == 1).map(Arc::new);
            let mut line = Vec::new();
            push_json_line(&mut line, &record);
            let expected = format!("{}\n", serde_json::to_string(&record).unwrap());
            proptest::prop_assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }

    #[test]
    fn absent_fields_are_absent_and_cells_are_harmless() {
        let end = ("10.0.0.1".parse().unwrap(), 1);
        let mut record = ConnectionRecord::new(end, end, Transport::Tcp, 5, 1);
        record.sni = Some("=cmd|\"x\",1".to_owned());
        let mut json = Vec::new();
        write_json_line(&mut json, &record).unwrap();
        let json = String::from_utf8(json).unwrap();
        assert_eq!(
            json,
            "{\"src\":\"10.0.0.1\",\"sport\":1,\"dst\":\"10.0.0.1\",\"dport\":1,\"transport\":\"tcp\",\"start_ns\":5,\"sni\":\"=cmd|\\\"x\\\",1\"}\n"
        );
        let mut csv = Vec::new();
        write_csv_line(&mut csv, &record).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        assert!(csv.contains(",\"'=cmd|\"\"x\"\",1\","), "{csv}");
    }
}
