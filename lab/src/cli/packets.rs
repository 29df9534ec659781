//! `packets`: from a row back to the bytes of its connection.
//!
//! Promises: nothing found is said with what was looked at; an existing file is not overwritten.
//!
//! Read next: `crate::packets`.

use super::args::PacketsArgs;
use super::console::Console;
use crate::error::LabError;
use crate::packets;
use crate::render::visible;

pub fn run(args: &PacketsArgs, console: &Console) -> Result<(), LabError> {
    let found = packets::of_connection(&args.captures, args.client, (i64::MIN, i64::MAX), args.top)?;
    if found.is_empty() {
        console.note(&format!(
            "no packet of {} is in the captures; is it the client's address and port, as the row says?",
            args.client
        ));
    }
    for packet in &found {
        let direction = if packet.from_client { "client" } else { "server" };
        let tree: Vec<String> = packet.tree.iter().skip(2).map(|line| visible(line)).collect();
        console.line(&format!("{}\t{direction}\t{}", packet.ts_ns, tree.join("; ")))?;
        if args.hex {
            console.line(packets::hex(&packet.bytes).trim_end())?;
        }
    }
    let Some(path) = &args.write else { return Ok(()) };
    let mut file = std::fs::File::create_new(path).map_err(LabError::io("create", path))?;
    let written = packets::write_pcap(&mut file, &found).map_err(LabError::io("write", path))?;
    console.note(&format!("{written} packets written to {}", path.display()));
    Ok(())
}
