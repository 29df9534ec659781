//! What the content of a handshake and of a request say about each other: server name against host, protocols offered against
//! protocol used, clear text against scheme.
//!
//! Promises: pure functions; a side that is not known gives [`Relation::Unknown`], never a contradiction.
//!
//! Read next: `decide.rs` (weighs it), `enrich/claims.rs` (turns it into flags of the row).

use std::net::IpAddr;

use ja4_event::{HttpEvent, NetworkEvent, Protocol, Transport};

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

/// Whether the request's HTTP version could be negotiated by the protocols offered (RFC 7301; HTTP/2 over TLS needs `h2`, RFC 9113
/// section 3.2).
#[must_use]
pub fn alpn_relation(handshake: &NetworkEvent, http: &HttpEvent) -> Relation {
    if !matches!(handshake.protocol, Protocol::Tls | Protocol::Quic) {
        return Relation::Unknown;
    }
    let Some(version) = http_version(http.http_version.as_deref()) else { return Relation::Unknown };
    let offered = |prefix: &str| handshake.alpn.iter().any(|name| name.starts_with(prefix));
    let possible = match version {
        HttpVersion::One => handshake.alpn.is_empty() || offered("http/"),
        HttpVersion::Two => handshake.alpn.iter().any(|name| name == "h2"),
        HttpVersion::Three => offered("h3"),
    };
    if possible { Relation::Agrees } else { Relation::Differs }
}

/// Whether this handshake's connection could carry the request at all, whatever the time: server side, transport and scheme.
#[must_use]
pub fn can_carry(handshake: &NetworkEvent, http: &HttpEvent) -> bool {
    let same_ip = |a: IpAddr, b: IpAddr| a.to_canonical() == b.to_canonical();
    if handshake.protocol == Protocol::Dtls
        || http.dst_ip.is_some_and(|ip| !ip.is_unspecified() && !same_ip(ip, handshake.dst_ip))
        || http.dst_port.is_some_and(|port| port != handshake.dst_port)
    {
        return false;
    }
    let transport_fits = match http_version(http.http_version.as_deref()) {
        Some(HttpVersion::Three) => handshake.transport == Transport::Udp,
        Some(HttpVersion::One | HttpVersion::Two) => handshake.transport == Transport::Tcp,
        None => true,
    };
    // A TLS connection cannot carry scheme http. The reverse (https over clear text) exists: TLS ended at a proxy in front.
    let scheme_fits =
        handshake.protocol == Protocol::Http || !http.scheme.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("http"));
    transport_fits && scheme_fits
}

/// Whether the scheme speaks for the protocol seen: https over clear text is possible but unusual.
#[must_use]
pub fn scheme_relation(handshake: &NetworkEvent, http: &HttpEvent) -> Relation {
    let Some(scheme) = http.scheme.as_deref() else { return Relation::Unknown };
    if scheme.eq_ignore_ascii_case("http") == (handshake.protocol == Protocol::Http) {
        Relation::Agrees
    } else {
        Relation::Differs
    }
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
    fn versions_are_read_from_logs_and_modules() {
        assert_eq!(http_version(Some("HTTP/1.0")), Some(HttpVersion::One));
        assert_eq!(http_version(Some("HTTP/2")), Some(HttpVersion::Two));
        assert_eq!(http_version(Some("h3")), Some(HttpVersion::Three));
        assert_eq!(http_version(Some("host")), None);
        assert_eq!(http_version(Some("")), None);
        assert_eq!(http_version(None), None);
    }
}
