//! `packets`, as typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// `packets`
#[derive(Debug, Args)]
pub struct PacketsArgs {
    /// Captures that the connection may be in.
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// The client's address and port, as `192.0.2.7:40000` or `[2001:db8::7]:40000`.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = client)]
    pub client: SocketAddr,
    /// Packets at most.
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub top: usize,
    /// Print the bytes as well.
    #[arg(long)]
    pub hex: bool,
    /// Write the connection as a capture of its own.
    #[arg(long, value_name = "PCAP")]
    pub write: Option<PathBuf>,
}

fn client(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write address and port, as 192.0.2.7:40000 or [2001:db8::7]:40000".to_owned())
}
