//! `live` as typed.
//!
//! Promises: those of `../args.rs`.
//!
//! Read next: `../live.rs`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{SummaryFormat, parse_duration};

/// `live`
#[derive(Debug, Args)]
pub struct LiveArgs {
    /// Interface to listen on; may be given several times. Needs root or CAP_NET_RAW, which is given up at once.
    #[arg(short, long, value_name = "IF", required_unless_present_any = ["network_socket"])]
    pub interface: Vec<String>,
    /// Packets to look at, in libpcap's language.
    #[arg(long, value_name = "FILTER", default_value = "tcp or udp port 443")]
    pub bpf: String,
    /// UNIX datagram socket at which mod_reqin_log's requests are taken.
    #[arg(long, value_name = "PATH", required_unless_present_any = ["http_log"])]
    pub http_socket: Option<PathBuf>,
    /// Group that may write there.
    #[arg(long, value_name = "GROUP", default_value = "www-data")]
    pub http_group: String,
    /// UNIX datagram socket at which ja4-sentinel's handshakes are taken.
    #[arg(long, value_name = "PATH")]
    pub network_socket: Option<PathBuf>,
    /// Growing log to follow through its rotations; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub http_log: Vec<PathBuf>,
    /// `auto`, `reqin` (JSON lines), `combined`, `common`, or an Apache LogFormat string.
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    pub http_format: String,
    /// Database to write (a DuckDB file).
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Folder of the segments that everything is in before it is in the database. Default: the database's name with `.spool`.
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
    /// How often sessions are scored; 0 for only at the end.
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = parse_duration, allow_hyphen_values = true)]
    pub every: i64,
    /// How long a request waits for its handshake, and the reverse.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = parse_span)]
    pub window: i64,
    /// How long a connection may be silent before its port counts as free again.
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = parse_span)]
    pub keepalive: i64,
    /// Longest request that is joined in order; rows come out this and the window after their request.
    #[arg(long, default_value = "20s", value_name = "TIME", value_parser = parse_span)]
    pub http_delay: i64,
    /// How late a handshake may be told of: a sensor waits up to 5 s for a ServerHello.
    #[arg(long, default_value = "8s", value_name = "TIME", value_parser = parse_span)]
    pub network_delay: i64,
    /// Loopback address of /health, /ready, /metrics and of questions to the database (`--db http://ADDRESS`).
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// File with the token that questions need; made if it is not there. Default: the database's name with `.token`.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Whom to become when started as root; without it `ja4` if there is such a user, else `nobody`.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Folder of reference tables instead of the built-in ones.
    #[arg(long, value_name = "DIR")]
    pub reference: Option<PathBuf>,
    /// Form of the summary at the end.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub summary: SummaryFormat,
}

/// A time that is not negative, in ns.
fn parse_span(text: &str) -> Result<i64, String> {
    let span_ns = parse_duration(text)?;
    if span_ns < 0 { Err(format!("{text:?} is negative; write 500ms, 10s, 2m or 1h")) } else { Ok(span_ns) }
}
