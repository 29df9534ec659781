//! A bare pass over the packet headers of captures: the yardstick for the sensor's speed (`docs/PERFORMANCE.md`).
//!
//! Usage: `header_walk CAPTURE...`. Prints packets and TCP payload bytes; keeps no state.

use std::path::Path;
use std::process::ExitCode;

use ja4_capture::Limits;
use ja4_capture::decode::{Decoded, decode};
use ja4_capture::source::PacketSource;
use ja4_capture::source::open::open;

fn main() -> ExitCode {
    let limits = Limits::default();
    let (mut packets, mut payload_bytes) = (0_u64, 0_u64);
    for path in std::env::args_os().skip(1) {
        match open(Path::new(&path)) {
            Ok(mut source) => {
                while source.advance() {
                    let packet = source.packet();
                    packets = packets.wrapping_add(1);
                    if let Decoded::Tcp(segment) = decode(packet.link_type, packet.data, &limits) {
                        payload_bytes = payload_bytes.wrapping_add(segment.payload.len() as u64);
                    }
                }
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(1);
            }
        }
    }
    eprintln!("{packets} packets, {payload_bytes} bytes of TCP payload");
    ExitCode::SUCCESS
}
