//! The two event kinds that cross the boundary between programs: a handshake seen on the wire and a request seen by the server.
//!
//! Promises: the JSON form is the one of `docs/CONTRACTS.md` (`v: 1`); unknown keys are ignored, a missing optional key is
//! `null`; times are integer nanoseconds since 1970 UTC; lists keep wire order. Nothing here reads a clock or does I/O.
//!
//! Read next: `sensor.rs` (makes [`NetworkEvent`]s), `ja4-replay`'s `httplog` (makes [`HttpEvent`]s).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Version of both JSON forms.
pub const EVENT_VERSION: u8 = 1;

/// A record longer than this is counted and dropped by every reader.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;

/// Transport of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// UDP: QUIC or DTLS.
    Udp,
}

impl Transport {
    /// `"tcp"` or `"udp"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// One handshake (or one clear-text HTTP connection) seen on the wire, emitted once per handshake.
///
/// `src` is the client. A field that was not seen is `None` (or empty for lists), never `""`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkEvent {
    /// Always [`EVENT_VERSION`].
    pub v: u8,
    /// Time of the packet that completed the ClientHello (clear HTTP: that carried the first request byte).
    pub ts_ns: i64,
    /// Client address.
    pub src_ip: IpAddr,
    /// Client port.
    pub src_port: u16,
    /// Server address.
    pub dst_ip: IpAddr,
    /// Server port.
    pub dst_port: u16,
    /// TCP or UDP.
    #[serde(default)]
    pub transport: Transport,
    /// Time of the first packet of the connection.
    #[serde(default)]
    pub start_ns: i64,
    /// `tls`, `quic`, `dtls` or `http` (clear text).
    #[serde(default)]
    pub protocol: Protocol,
    /// TTL or hop limit of the client's first packet.
    #[serde(default)]
    pub ip_ttl: Option<u8>,
    /// Don't-fragment bit of the client's first packet (IPv4 only).
    #[serde(default)]
    pub ip_df: Option<bool>,
    /// Raw window field of the SYN.
    #[serde(default)]
    pub tcp_window: Option<u16>,
    /// MSS option of the SYN, bytes.
    #[serde(default)]
    pub tcp_mss: Option<u16>,
    /// Window-scale option of the SYN, as a shift.
    #[serde(default)]
    pub tcp_wscale: Option<u8>,
    /// Option kinds of the SYN in wire order, joined by `-`.
    #[serde(default)]
    pub tcp_options: Option<String>,
    /// From the SYN to the packet that completed the ClientHello, microseconds.
    #[serde(default)]
    pub syn_to_hello_us: Option<i64>,
    /// Version negotiated (ServerHello) or else the highest offered, e.g. `0x0304`.
    #[serde(default)]
    pub tls_version: Option<u16>,
    /// Server name of the ClientHello.
    #[serde(default)]
    pub sni: Option<String>,
    /// Protocols offered by the client, in order.
    #[serde(default)]
    pub alpn: Vec<String>,
    /// Bytes of the ClientHello message.
    #[serde(default)]
    pub hello_bytes: Option<u32>,
    /// TCP segments (or QUIC packets) the ClientHello came in.
    #[serde(default)]
    pub hello_segments: Option<u32>,
    /// Cipher suites offered, GREASE left out.
    #[serde(default)]
    pub cipher_count: Option<u16>,
    /// Extensions offered, GREASE left out.
    #[serde(default)]
    pub extension_count: Option<u16>,
    /// Whether any GREASE value was offered (RFC 8701).
    #[serde(default)]
    pub grease: Option<bool>,
    /// Whether the client offered to resume: pre_shared_key, or a session ticket or (TLS ≤ 1.2 without supported_versions) session id that is not empty.
    #[serde(default)]
    pub resumption: Option<bool>,
    /// Whether encrypted_client_hello (0xfe0d) was offered.
    #[serde(default)]
    pub ech: Option<bool>,
    /// MD5 of `ja3_raw`.
    #[serde(default)]
    pub ja3: Option<String>,
    /// The JA3 string.
    #[serde(default)]
    pub ja3_raw: Option<String>,
    /// MD5 of the JA3S string.
    #[serde(default)]
    pub ja3s: Option<String>,
    /// JA4 (sorted, hashed).
    #[serde(default)]
    pub ja4: Option<String>,
    /// JA4 sorted, raw.
    #[serde(default)]
    pub ja4_r: Option<String>,
    /// JA4 in original order, hashed.
    #[serde(default)]
    pub ja4_o: Option<String>,
    /// JA4S.
    #[serde(default)]
    pub ja4s: Option<String>,
    /// JA4T of the SYN.
    #[serde(default)]
    pub ja4t: Option<String>,
    /// JA4TS of the SYN-ACK.
    #[serde(default)]
    pub ja4ts: Option<String>,
    /// JA4L of the client, `latency_us_ttl`.
    #[serde(default)]
    pub ja4l_c: Option<String>,
    /// HTTP/2 settings fingerprint, where the preface was readable (key log or clear text).
    #[serde(default)]
    pub h2: Option<String>,
}

/// What a connection spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TLS over TCP.
    #[default]
    Tls,
    /// QUIC.
    Quic,
    /// DTLS.
    Dtls,
    /// Clear-text HTTP/1 or HTTP/2.
    Http,
}

/// One HTTP request as the server saw it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HttpEvent {
    /// Always [`EVENT_VERSION`].
    pub v: u8,
    /// When the server had read the request line.
    pub ts_ns: i64,
    /// Peer of the connection (before mod_remoteip); `None` only where a log names no address.
    pub src_ip: Option<IpAddr>,
    /// Peer port of the connection; `None` where the log does not carry it.
    #[serde(default)]
    pub src_port: Option<u16>,
    /// Local address.
    #[serde(default)]
    pub dst_ip: Option<IpAddr>,
    /// Local port.
    #[serde(default)]
    pub dst_port: Option<u16>,
    /// Client after mod_remoteip.
    #[serde(default)]
    pub client_ip: Option<IpAddr>,
    /// Name of the server that logged it.
    #[serde(default)]
    pub server: Option<String>,
    /// Identity of the connection within the server.
    #[serde(default)]
    pub conn_id: Option<String>,
    /// Number of the request on its connection, from 0.
    #[serde(default)]
    pub request_no: Option<u32>,
    /// `http` or `https`.
    #[serde(default)]
    pub scheme: Option<String>,
    /// Method as sent.
    #[serde(default)]
    pub method: Option<String>,
    /// Host header or `:authority`, as sent.
    #[serde(default)]
    pub host: Option<String>,
    /// Path without query.
    #[serde(default)]
    pub path: Option<String>,
    /// Query without `?`.
    #[serde(default)]
    pub query: Option<String>,
    /// `HTTP/1.0`, `HTTP/1.1`, `HTTP/2.0` …
    #[serde(default)]
    pub http_version: Option<String>,
    /// Status sent.
    #[serde(default)]
    pub status: Option<u16>,
    /// Bytes received with this request, headers included.
    #[serde(default)]
    pub request_bytes: Option<u64>,
    /// Bytes sent with this request, headers included.
    #[serde(default)]
    pub response_bytes: Option<u64>,
    /// From the request line to the end of the response.
    #[serde(default)]
    pub duration_us: Option<u64>,
    /// Header names and values, in wire order if `headers_complete`. Secret values are replaced by their length.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// `true` if `headers` holds every header in wire order; `false` if it holds only those a log format names.
    /// The module always sends the complete list, so a missing key means `true`.
    #[serde(default = "yes")]
    pub headers_complete: bool,
    /// `SETTINGS|WINDOW_UPDATE|PRIORITY|pseudo-header order`.
    #[serde(default)]
    pub h2: Option<String>,
    /// Resolution of `ts_ns`: 1, 1 000 (µs), 1 000 000 (ms) or 1 000 000 000 (s). The true time lies in `[ts_ns, ts_ns + resolution)`.
    #[serde(default = "one")]
    pub ts_resolution_ns: i64,
}

fn yes() -> bool {
    true
}

fn one() -> i64 {
    1
}

impl HttpEvent {
    /// Value of the first header with this name (ASCII case ignored), if there is one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}
