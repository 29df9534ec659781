//! The joined row: one HTTP request with what is known of its connection. This list is the one definition of `ja4_logs.http_logs`.
//!
//! Promises: columns are `Int` (i64), `Float` (f64) or `Text` only, never null; "unknown" is `-1` for numbers and flags and `""`
//! for text; the order here is the order in every store and in the digest. A flag is 1, 0 or -1 (unknown).
//!
//! Read next: `correlate` and `enrich` fill it, `sql/` stores it (a test compares this list with the migrations).

use std::sync::Arc;

/// Shared text: one allocation for all requests of a handshake.
pub type Text = Arc<str>;

/// Type of a column on every store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// 64-bit signed integer.
    Int,
    /// IEEE double, never NaN.
    Float,
    /// UTF-8 text.
    Text,
}

/// Name, type and meaning of a column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name in every store.
    pub name: &'static str,
    /// Type in every store.
    pub kind: ColumnKind,
    /// One line of meaning, with unit.
    pub doc: &'static str,
}

/// Receives the values of a row in column order.
pub trait ColumnVisitor {
    /// An integer column.
    fn int(&mut self, value: i64);
    /// A float column.
    fn float(&mut self, value: f64);
    /// A text column.
    fn text(&mut self, value: &Text);
}

/// Gives the values of a row in column order; `None` when there is no more or another kind stands there.
pub trait ColumnSource {
    /// An integer column.
    fn int(&mut self) -> Option<i64>;
    /// A float column.
    fn float(&mut self) -> Option<f64>;
    /// A text column.
    fn text(&mut self) -> Option<Text>;
}

macro_rules! kind_type {
    (Int) => {
        i64
    };
    (Float) => {
        f64
    };
    (Text) => {
        Text
    };
}
macro_rules! visit_one {
    (Int, $v:ident, $x:expr) => {
        $v.int($x)
    };
    (Float, $v:ident, $x:expr) => {
        $v.float($x)
    };
    (Text, $v:ident, $x:expr) => {
        $v.text(&$x)
    };
}
macro_rules! take_one {
    (Int, $s:ident) => {
        $s.int()?
    };
    (Float, $s:ident) => {
        $s.float()?
    };
    (Text, $s:ident) => {
        $s.text()?
    };
}
macro_rules! unknown {
    (Int) => {
        -1
    };
    (Float) => {
        0.0
    };
    (Text) => {
        Arc::from("")
    };
}

macro_rules! columns {
    ($($name:ident: $kind:ident = $doc:literal,)*) => {
        /// One request joined with its connection; see [`COLUMNS`] for units.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::exhaustive_structs, reason = "constructed by the enricher and by tests")]
        pub struct HttpLogRow {
            $(#[doc = $doc] pub $name: kind_type!($kind),)*
        }

        /// Every column of `ja4_logs.http_logs`, in order.
        pub const COLUMNS: &[Column] = &[
            $(Column { name: stringify!($name), kind: ColumnKind::$kind, doc: $doc },)*
        ];

        impl HttpLogRow {
            /// A row in which everything is unknown.
            #[must_use]
            pub fn unknown() -> Self {
                Self { $($name: unknown!($kind),)* }
            }

            /// A row made of the values of `source`, the reverse of [`HttpLogRow::visit`].
            pub fn take(source: &mut impl ColumnSource) -> Option<Self> {
                Some(Self { $($name: take_one!($kind, source),)* })
            }

            /// Shows every value to `visitor`, in column order.
            pub fn visit(&self, visitor: &mut impl ColumnVisitor) {
                $(visit_one!($kind, visitor, self.$name);)*
            }
        }
    };
}

columns! {
    // Identity.
    row_hi: Int = "upper half of the row key: a hash of the request's content and its ordinal among identical records of one input",
    row_lo: Int = "lower half of the row key",
    ts_ns: Int = "request time, skew-corrected, ns since 1970 UTC",
    // Connection.
    src_ip: Text = "peer of the connection, canonical text",
    src_port: Int = "peer port; -1 where the log lacks it",
    dst_ip: Text = "local address",
    dst_port: Int = "local port",
    client_ip: Text = "client after mod_remoteip; equal to src_ip without a proxy",
    server: Text = "name of the server that logged it",
    conn_id: Text = "connection identity within the server",
    request_no: Int = "number of the request on its connection as the server counts it, from 0",
    // Request.
    scheme: Text = "http or https",
    method: Text = "method as sent",
    host: Text = "Host or :authority in lower case, without port",
    path: Text = "path without query",
    query: Text = "query without ?",
    http_version: Text = "HTTP/1.0, HTTP/1.1, HTTP/2.0",
    status: Int = "status sent",
    request_bytes: Int = "bytes received, headers included",
    response_bytes: Int = "bytes sent, headers included",
    duration_us: Int = "request line to end of response, microseconds",
    // Headers.
    headers_known: Int = "2 all headers in wire order, 1 only values that a log format names, 0 none",
    header_count: Int = "number of headers; -1 unless all are known",
    header_names: Text = "names in wire order and original case, joined by comma; empty unless all are known",
    header_order: Text = "12 hex digits of SHA-256 of the lower-case names in order, without cookie and referer; empty unless all are known",
    user_agent: Text = "User-Agent",
    referer: Text = "Referer",
    accept: Text = "Accept",
    accept_language: Text = "Accept-Language",
    accept_encoding: Text = "Accept-Encoding",
    content_type: Text = "Content-Type of the request",
    origin: Text = "Origin",
    sec_ch_ua: Text = "Sec-CH-UA",
    sec_ch_ua_mobile: Text = "Sec-CH-UA-Mobile",
    sec_ch_ua_platform: Text = "Sec-CH-UA-Platform",
    sec_fetch_site: Text = "Sec-Fetch-Site",
    sec_fetch_mode: Text = "Sec-Fetch-Mode",
    sec_fetch_dest: Text = "Sec-Fetch-Dest",
    x_requested_with: Text = "X-Requested-With",
    cookie_bytes: Int = "length of Cookie; 0 absent",
    authorization_bytes: Int = "length of Authorization; 0 absent",
    has_user_agent: Int = "flag: User-Agent sent",
    has_accept: Int = "flag: Accept sent",
    has_accept_language: Int = "flag: Accept-Language sent",
    has_accept_encoding: Int = "flag: Accept-Encoding sent",
    has_referer: Int = "flag: Referer sent",
    has_cookie: Int = "flag: Cookie sent",
    has_origin: Int = "flag: Origin sent",
    has_sec_fetch: Int = "flag: any Sec-Fetch header sent",
    has_client_hints: Int = "flag: any Sec-CH-UA header sent",
    has_upgrade_insecure: Int = "flag: Upgrade-Insecure-Requests sent",
    h2: Text = "HTTP/2 fingerprint SETTINGS|WINDOW_UPDATE|PRIORITY|pseudo-header order",
    // Parsed from the request.
    path_depth: Int = "slashes in the path",
    path_bytes: Int = "bytes of the path",
    query_bytes: Int = "bytes of the query",
    query_params: Int = "parameters in the query",
    is_asset: Int = "1 for style, script, image, font, media and the like",
    asset_kind: Text = "css, js, image, font, media, other; empty for none",
    is_page: Int = "1 for a GET that is no asset, no API call and no robots.txt-like file",
    is_api: Int = "1 for /api, /graphql, /rest and requests that ask for JSON only",
    is_sensitive: Int = "1 for paths that only probes ask for (.env, .git, wp-login, phpmyadmin, backups …)",
    is_login: Int = "1 for login, sign-in, auth and password paths",
    is_robots: Int = "1 for robots.txt, sitemap, security.txt",
    ua_bytes: Int = "bytes of the User-Agent",
    ua_class: Text = "browser, bot, tool, library, other, none",
    ua_family: Text = "chrome, firefox, safari, edge, opera, curl, python-requests, googlebot …; empty if none",
    ua_major: Int = "major version of the family",
    ua_os: Text = "windows, macos, linux, android, ios, chromeos, other; empty if none",
    // Connection as seen on the wire.
    protocol: Text = "tls, quic, dtls, http; empty if no packet was seen",
    sni: Text = "server name of the ClientHello",
    alpn: Text = "protocols offered, in order, joined by comma",
    tls_version: Int = "negotiated or else highest offered, e.g. 772 for TLS 1.3",
    ja3: Text = "JA3 (MD5)",
    ja4: Text = "JA4; empty without a handshake",
    ja4_r: Text = "JA4 raw, sorted",
    ja4_o: Text = "JA4 in original order",
    ja4s: Text = "JA4S",
    ja4t: Text = "JA4T",
    ja4ts: Text = "JA4TS",
    ja4l_us: Int = "one-way latency to the client, microseconds (JA4L)",
    hello_ts_ns: Int = "time of the ClientHello, ns since 1970 UTC",
    hello_bytes: Int = "bytes of the ClientHello",
    hello_segments: Int = "segments of the ClientHello",
    cipher_count: Int = "cipher suites offered without GREASE",
    extension_count: Int = "extensions offered without GREASE",
    grease: Int = "flag: GREASE offered",
    resumption: Int = "flag: client offered to resume",
    ech: Int = "flag: encrypted_client_hello offered",
    ip_ttl: Int = "TTL or hop limit of the client's first packet",
    ip_df: Int = "flag: don't-fragment bit",
    tcp_window: Int = "raw window of the SYN",
    tcp_mss: Int = "MSS of the SYN, bytes",
    tcp_wscale: Int = "window scale of the SYN",
    tcp_options: Text = "option kinds of the SYN joined by -",
    syn_to_hello_us: Int = "from the SYN to the ClientHello, microseconds",
    // The join.
    match_kind: Text = "exact, reused_port, ambiguous, time_host_guess, no_handshake, no_port; see docs/JOIN.md",
    match_confidence: Float = "0 to 1",
    match_candidates: Int = "handshakes that could have carried the request",
    hello_to_request_us: Int = "from the ClientHello to the request, microseconds",
    handshake_request_no: Int = "ordinal of the request among those joined to its handshake, by time",
    // Enrichment.
    asn: Int = "autonomous system of client_ip; 0 unknown",
    as_name: Text = "its name",
    country: Text = "ISO 3166 code of client_ip",
    ip_bot: Text = "name of the bot-address list that holds client_ip",
    ja4_bot: Text = "name of the tool known by this JA4",
    ja4_browser: Text = "browser family known by this JA4",
    h2_browser: Text = "browser family known by this HTTP/2 fingerprint",
    // Claims against facts.
    ua_ja4_mismatch: Int = "flag: the family that the User-Agent claims is not the one this JA4 belongs to",
    alpn_mismatch: Int = "flag: HTTP version not among the protocols offered, or h2 offered and HTTP/1 used",
    sni_mismatch: Int = "flag: SNI differs from Host",
    h2_mismatch: Int = "flag: HTTP/2 fingerprint belongs to another family than the User-Agent claims",
    hints_mismatch: Int = "flag: Sec-CH-UA contradicts the User-Agent, or is missing where the claimed browser always sends it",
}
