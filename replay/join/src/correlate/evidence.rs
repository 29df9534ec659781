//! What the content of a handshake and of a request say about each other: server name against host, protocols offered against
//! protocol used, clear text against scheme.
//!
//! Promises: pure functions; a side that is not known gives [`Relation::Unknown`], never a contradiction. The rules speak of an [`Offer`]
//! and a [`Usage`], the few bytes that they need of either side: those are noted when an event comes, because the event itself is no longer
//! in the processor's cache when it is decided.
//!
//! Read next: `decide.rs` (weighs it), `enrich/claims.rs` (turns it into flags of the row).

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::quality::FixedState;
use ja4_event::{HttpEvent, NetworkEvent, Protocol, Transport};

use super::key::ip_number;

/// How two facts stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Both known, and they agree.
    Agrees,
    /// Both known, and they exclude each other or make each other unlikely.
    Differs,
    /// One of them is not known.
    Unknown,
}

/// HTTP version of a request, as far as transports differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/0.9 to HTTP/1.1: one request after the other on a connection.
    One,
    /// HTTP/2: many at once.
    Two,
    /// HTTP/3: over QUIC.
    Three,
}

/// Version from its name in the log (`HTTP/2.0`, `HTTP/2`, `h2` …); `None` if there is none or it is no HTTP version.
#[must_use]
pub fn http_version(name: Option<&str>) -> Option<HttpVersion> {
    let name = name?;
    let number = name.strip_prefix("HTTP/").or_else(|| name.strip_prefix('h'))?;
    match number.as_bytes().first()? {
        b'0' | b'1' => Some(HttpVersion::One),
        b'2' => Some(HttpVersion::Two),
        b'3' => Some(HttpVersion::Three),
        _ => None,
    }
}

/// `host` without port, brackets and final dot.
#[must_use]
pub fn host_name(host: &str) -> &str {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => match host.rsplit_once(':') {
            // More than one colon without brackets is a bare IPv6 address.
            Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        },
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// Server name of the ClientHello against the Host of the request. An address as Host cannot be sent as SNI (RFC 6066 section 3).
#[must_use]
pub fn sni_relation(handshake: &NetworkEvent, http: &HttpEvent) -> Relation {
    let (Some(sni), Some(host)) = (handshake.sni.as_deref(), http.host.as_deref()) else { return Relation::Unknown };
    let (sni, host) = (host_name(sni), host_name(host));
    if sni.is_empty() || host.is_empty() || host.parse::<IpAddr>().is_ok() {
        return Relation::Unknown;
    }
    if sni.eq_ignore_ascii_case(host) { Relation::Agrees } else { Relation::Differs }
}

/// Hash of a name without regard to case; `None` for none, and for an address where `no_address` is set.
fn name_hash(name: Option<&str>, no_address: bool) -> Option<u64> {
    let name = host_name(name?);
    if name.is_empty() || (no_address && name.parse::<IpAddr>().is_ok()) {
        return None;
    }
    let mut hasher = FixedState::with_seed(0).build_hasher();
    for part in name.as_bytes().chunks(16) {
        let mut lower = [0; 16];
        for (lower, byte) in lower.iter_mut().zip(part) {
            *lower = byte.to_ascii_lowercase();
        }
        hasher.write_u128(u128::from_le_bytes(lower));
    }
    hasher.write_usize(name.len());
    Some(hasher.finish())
}

/// What a handshake says about the requests its connection can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// What it spoke.
    pub protocol: Protocol,
    /// Over what.
    pub transport: Transport,
    /// Server address as a number ([`ip_number`]) and port.
    pub server: (u128, u16),
    /// Whether HTTP/1, HTTP/2 and HTTP/3 could be negotiated by the protocols offered.
    versions: [bool; 3],
    /// Server name, as [`name_hash`].
    name: Option<u64>,
}

impl Offer {
    /// Of a handshake. RFC 7301; HTTP/2 over TLS needs `h2` (RFC 9113 section 3.2).
    #[must_use]
    pub fn of(handshake: &NetworkEvent) -> Self {
        let offered = |prefix: &str| handshake.alpn.iter().any(|name| name.starts_with(prefix));
        let one = handshake.alpn.is_empty() || offered("http/");
        let two = handshake.alpn.iter().any(|name| name == "h2");
        Self {
            protocol: handshake.protocol,
            transport: handshake.transport,
            server: (ip_number(handshake.dst_ip), handshake.dst_port),
            versions: [one, two, offered("h3")],
            name: name_hash(handshake.sni.as_deref(), false),
        }
    }

    /// [`sni_relation`] without reading the names again. Who makes two names of one hash gains what sending the right name would give.
    #[must_use]
    pub fn sni(&self, usage: &Usage) -> Relation {
        match (self.name, usage.name) {
            (Some(sni), Some(host)) if sni == host => Relation::Agrees,
            (Some(_), Some(_)) => Relation::Differs,
            _ => Relation::Unknown,
        }
    }

    /// Whether the request's HTTP version could be negotiated.
    #[must_use]
    pub fn alpn(&self, usage: &Usage) -> Relation {
        if !matches!(self.protocol, Protocol::Tls | Protocol::Quic) {
            return Relation::Unknown;
        }
        let [one, two, three] = self.versions;
        let possible = match usage.version {
            Some(HttpVersion::One) => one,
            Some(HttpVersion::Two) => two,
            Some(HttpVersion::Three) => three,
            None => return Relation::Unknown,
        };
        if possible { Relation::Agrees } else { Relation::Differs }
    }

    /// Whether this handshake's connection could carry the request at all, whatever the time: server side, transport and scheme.
    #[must_use]
    pub fn can_carry(&self, usage: &Usage) -> bool {
        let (server_ip, server_port) = self.server;
        if self.protocol == Protocol::Dtls
            || usage.server_ip.is_some_and(|ip| ip != server_ip)
            || usage.server_port.is_some_and(|port| port != server_port)
        {
            return false;
        }
        let transport_fits = match usage.version {
            Some(HttpVersion::Three) => self.transport == Transport::Udp,
            Some(HttpVersion::One | HttpVersion::Two) => self.transport == Transport::Tcp,
            None => true,
        };
        // A TLS connection cannot carry scheme http. The reverse (https over clear text) exists: TLS ended at a proxy in front.
        transport_fits && (self.protocol == Protocol::Http || usage.clear_text != Some(true))
    }

    /// Whether the scheme speaks for the protocol seen: https over clear text is possible but unusual.
    #[must_use]
    pub fn scheme(&self, usage: &Usage) -> Relation {
        match usage.clear_text {
            None => Relation::Unknown,
            Some(clear) if clear == (self.protocol == Protocol::Http) => Relation::Agrees,
            Some(_) => Relation::Differs,
        }
    }
}

/// What a request says about the connection that carried it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// HTTP version.
    pub version: Option<HttpVersion>,
    /// Whether its scheme is `http`.
    clear_text: Option<bool>,
    /// Server address as a number, where the log has one that is not the wildcard.
    server_ip: Option<u128>,
    server_port: Option<u16>,
    /// Host, as [`name_hash`]; an address is none, because it cannot be sent as SNI.
    name: Option<u64>,
}

impl Usage {
    /// Whether both requests name the same server address and port, or neither names one.
    #[must_use]
    pub fn same_server(&self, other: &Self) -> bool {
        (self.server_ip, self.server_port) == (other.server_ip, other.server_port)
    }

    /// Of a request.
    #[must_use]
    pub fn of(http: &HttpEvent) -> Self {
        Self {
            version: http_version(http.http_version.as_deref()),
            clear_text: http.scheme.as_deref().map(|scheme| scheme.eq_ignore_ascii_case("http")),
            server_ip: http.dst_ip.filter(|ip| !ip.is_unspecified()).map(ip_number),
            server_port: http.dst_port,
            name: name_hash(http.host.as_deref(), true),
        }
    }
}

/// [`Offer::alpn`] of two events.
#[must_use]
pub fn alpn_relation(handshake: &NetworkEvent, http: &HttpEvent) -> Relation {
    Offer::of(handshake).alpn(&Usage::of(http))
}

/// [`Offer::can_carry`] of two events.
#[must_use]
pub fn can_carry(handshake: &NetworkEvent, http: &HttpEvent) -> bool {
    Offer::of(handshake).can_carry(&Usage::of(http))
}

/// [`Offer::scheme`] of two events.
#[must_use]
pub fn scheme_relation(handshake: &NetworkEvent, http: &HttpEvent) -> Relation {
    Offer::of(handshake).scheme(&Usage::of(http))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_port_brackets_and_final_dot() {
        for (host, name) in [
            ("a.example", "a.example"),
            ("a.example:443", "a.example"),
            ("a.example.", "a.example"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("a:b", "a:b"),
            ("", ""),
            ("[", ""),
        ] {
            assert_eq!(host_name(host), name, "{host}");
        }
    }

    #[test]
    fn names_compared_by_hash_relate_as_the_names_do() {
        let names = ["a.example", "A.EXAMPLE:443", "a.example.", "b.example", "", "[", "192.0.2.1", "[2001:db8::1]:443", "\0"];
        let long = "x".repeat(300);
        let all: Vec<Option<&str>> = names.into_iter().chain([long.as_str(), &long[1..]]).map(Some).chain([None]).collect();
        let json =
            serde_json::json!({ "v": 1, "ts_ns": 0, "src_ip": "192.0.2.1", "src_port": 1, "dst_ip": "192.0.2.2", "dst_port": 2 });
        let mut handshake: NetworkEvent = serde_json::from_value(json).unwrap();
        for sni in &all {
            handshake.sni = sni.map(str::to_owned);
            for host in &all {
                let http = HttpEvent { host: host.map(str::to_owned), ..HttpEvent::default() };
                let by_hash = Offer::of(&handshake).sni(&Usage::of(&http));
                assert_eq!(by_hash, sni_relation(&handshake, &http), "{sni:?} {host:?}");
            }
        }
    }

    #[test]
    fn versions_are_read_from_logs_and_modules() {
        assert_eq!(http_version(Some("HTTP/1.0")), Some(HttpVersion::One));
        assert_eq!(http_version(Some("HTTP/2")), Some(HttpVersion::Two));
        assert_eq!(http_version(Some("h3")), Some(HttpVersion::Three));
        assert_eq!(http_version(Some("host")), None);
        assert_eq!(http_version(Some("")), None);
        assert_eq!(http_version(None), None);
    }
}
