//! From a row back to the bytes: the packets of one connection, found again in the captures it came from.
//!
//! Promises: captures are read as everywhere else (any format, damage kept apart); only packets to or from the client's address and
//! port are kept, at most as many as asked for; what is not in the capture is said, not guessed.
//!
//! Read next: `ja4_capture::source`, `ja4_capture::decode`, `cli/packets.rs`.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ja4_capture::decode::{Addresses, Decoded, Segment, decode, flag};
use ja4_capture::limits::Limits;
use ja4_capture::source::{PacketSource as _, open};

use crate::error::LabError;

/// One packet of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionPacket {
    /// Capture time, ns since 1970.
    pub ts_ns: i64,
    /// Sent by the client.
    pub from_client: bool,
    /// Header by header, outermost first, one line each.
    pub tree: Vec<String>,
    /// Bytes of payload above TCP or UDP.
    pub payload_bytes: usize,
    /// Link-layer type.
    pub link_type: u32,
    /// Length on the wire.
    pub orig_len: u32,
    /// The bytes captured.
    pub bytes: Vec<u8>,
}

/// The first `limit` packets to or from `client` within a span of time (ns, both ends), in capture order.
///
/// # Errors
/// A capture that cannot be opened.
pub fn of_connection(
    captures: &[PathBuf],
    client: SocketAddr,
    span_ns: (i64, i64),
    limit: usize,
) -> Result<Vec<ConnectionPacket>, LabError> {
    let client = SocketAddr::new(client.ip().to_canonical(), client.port());
    let limits = Limits::default();
    let mut found = Vec::new();
    for path in captures {
        let mut source = open::open(path)?;
        while found.len() < limit && source.advance() {
            let packet = source.packet();
            if packet.ts_ns < span_ns.0 || packet.ts_ns > span_ns.1 {
                continue;
            }
            let (ip, ports, payload, what) = match decode(packet.link_type, packet.data, &limits) {
                Decoded::Tcp(segment) => (segment.ip, (segment.src_port, segment.dst_port), segment.payload, tcp(&segment)),
                Decoded::Udp(datagram) => {
                    let ports = (datagram.src_port, datagram.dst_port);
                    (
                        datagram.ip,
                        ports,
                        datagram.payload,
                        format!("UDP {} to {}, {} bytes", ports.0, ports.1, datagram.payload.len()),
                    )
                }
                Decoded::Fragment(_) | Decoded::Other | Decoded::Damaged => continue,
            };
            let (src, dst) = ends(ip.addresses);
            let from_client = SocketAddr::new(src, ports.0) == client;
            if !from_client && SocketAddr::new(dst, ports.1) != client {
                continue;
            }
            let mut tree = vec![
                format!(
                    "frame {} bytes on the wire, {} captured, link type {}",
                    packet.orig_len,
                    packet.data.len(),
                    packet.link_type
                ),
                format!("IP {src} to {dst}, TTL {}", ip.ttl),
                what,
            ];
            tree.extend(above(payload));
            found.push(ConnectionPacket {
                ts_ns: packet.ts_ns,
                from_client,
                tree,
                payload_bytes: payload.len(),
                link_type: packet.link_type,
                orig_len: packet.orig_len,
                bytes: packet.data.to_vec(),
            });
        }
    }
    found.sort_by_key(|packet| packet.ts_ns);
    Ok(found)
}

fn ends(addresses: Addresses) -> (IpAddr, IpAddr) {
    let pair = match addresses {
        Addresses::V4 { src, dst } => (IpAddr::from(src), IpAddr::from(dst)),
        Addresses::V6 { src, dst } => (IpAddr::from(src), IpAddr::from(dst)),
    };
    (pair.0.to_canonical(), pair.1.to_canonical())
}

fn tcp(segment: &Segment<'_>) -> String {
    const FLAGS: [(u8, &str); 6] =
        [(flag::SYN, "SYN"), (flag::ACK, "ACK"), (8, "PSH"), (flag::FIN, "FIN"), (flag::RST, "RST"), (32, "URG")];
    let flags: Vec<&str> = FLAGS.iter().filter(|(bit, _)| segment.flags & bit != 0).map(|(_, name)| *name).collect();
    format!(
        "TCP {} to {} [{}] seq {} ack {} window {}, {} option bytes, {} bytes",
        segment.src_port,
        segment.dst_port,
        flags.join(" "),
        segment.seq,
        segment.ack,
        segment.window,
        segment.options.len(),
        segment.payload.len()
    )
}

/// What the payload begins with: TLS records by type, or clear HTTP.
fn above(payload: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = payload;
    while let Some((&[kind, major, minor, high, low], after)) = rest.split_first_chunk::<5>() {
        let name = match (kind, major) {
            (20, 3) => "change cipher spec",
            (21, 3) => "alert",
            (22, 3) => "handshake",
            (23, 3) => "application data",
            _ => break,
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let message = match (kind, after.first()) {
            (22, Some(1)) => ": ClientHello",
            (22, Some(2)) => ": ServerHello",
            (22, Some(11)) => ": Certificate",
            _ => "",
        };
        let cut = if after.len() < length { ", goes on in the next packet" } else { "" };
        lines.push(format!("TLS record {name} {major}.{minor}, {length} bytes{message}{cut}"));
        rest = after.get(length..).unwrap_or_default();
    }
    let line = payload.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if lines.is_empty() && (line.starts_with(b"HTTP/") || line.ends_with(b"HTTP/1.1") || line.ends_with(b"HTTP/1.0")) {
        lines.push(String::from_utf8_lossy(line.get(..200).unwrap_or(line)).into_owned());
    }
    lines
}

/// Bytes as people read them: offset, sixteen bytes, and their printable characters.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "{:06x} ", row * 16);
        for place in 0..16 {
            let cell = chunk.get(place).map_or_else(|| "   ".to_owned(), |byte| format!(" {byte:02x}"));
            out.push_str(&cell);
        }
        let shown: String = chunk.iter().map(|byte| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' }).collect();
        let _ = writeln!(out, "  {shown}");
    }
    out
}

/// Writes packets as a capture with nanoseconds, which every tool opens. Packets of another link type than the first are left out.
///
/// # Errors
/// The writer's refusal.
pub fn write_pcap(out: &mut dyn Write, packets: &[ConnectionPacket]) -> io::Result<usize> {
    let link_type = packets.first().map_or(1, |packet| packet.link_type);
    for number in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, link_type] {
        out.write_all(&number.to_le_bytes())?;
    }
    let mut written = 0;
    for packet in packets.iter().filter(|packet| packet.link_type == link_type) {
        let field = |number: i64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let length = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
        out.write_all(&field(packet.ts_ns.div_euclid(1_000_000_000)))?;
        out.write_all(&field(packet.ts_ns.rem_euclid(1_000_000_000)))?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&packet.orig_len.to_le_bytes())?;
        out.write_all(&packet.bytes)?;
        written += 1;
    }
    Ok(written)
}

/// Where a capture of this name and size can be found: in one of `folders`, as far as they exist. Many captures have the same name; one
/// of another size is another one.
#[must_use]
pub fn reachable(name: &str, bytes: u64, folders: &[PathBuf]) -> Option<PathBuf> {
    let plain = Path::new(name).file_name()?;
    let is_it = |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.len() == bytes);
    folders.iter().map(|folder| folder.join(plain)).find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_and_can_be_written_and_read_again() {
        let root = crate::dataset::default_root().join("site-small");
        let set = crate::dataset::Dataset::open(&root).unwrap();
        let captures = set.files(crate::dataset::Role::Capture);
        let mut source = open::open(&captures[0]).unwrap();
        let limits = Limits::default();
        let client = loop {
            assert!(source.advance(), "the recorded capture holds a SYN");
            let packet = source.packet();
            if let Decoded::Tcp(segment) = decode(packet.link_type, packet.data, &limits)
                && segment.flags & flag::SYN != 0
                && segment.flags & flag::ACK == 0
            {
                break SocketAddr::new(ends(segment.ip.addresses).0, segment.src_port);
            }
        };
        let found = of_connection(&captures, client, (0, i64::MAX), 1_000).unwrap();
        assert!(found.len() > 3, "{}", found.len());
        assert!(found[0].from_client && found[0].tree[2].contains("[SYN]"), "{:?}", found[0].tree);
        assert!(found.iter().any(|packet| packet.tree.iter().any(|line| line.contains("ClientHello"))));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.pcap");
        write_pcap(&mut std::fs::File::create(&path).unwrap(), &found).unwrap();
        assert_eq!(of_connection(&[path], client, (0, i64::MAX), 1_000).unwrap(), found);
        assert_eq!(of_connection(&captures, client, (0, 1), 1_000).unwrap(), []);
        let (bytes, other) = (captures[0].metadata().unwrap().len(), crate::dataset::default_root().join("site-module"));
        let folders = [PathBuf::from("/nowhere"), other, root];
        assert_eq!(reachable("capture.pcap.gz", bytes, &folders), Some(folders[2].join("capture.pcap.gz")));
        assert_eq!(reachable("capture.pcap.gz", bytes + 1, &folders), None);
    }

    #[test]
    fn hex_shows_offset_bytes_and_characters() {
        assert_eq!(hex(b"GET /\r\n"), format!("000000  47 45 54 20 2f 0d 0a{}  GET /..\n", "   ".repeat(9)));
    }
}
