//! What each letter of mod_log_config (with mod_logio and mod_ssl) means here, and what its text looks like.
//!
//! Promises: knows every directive of httpd 2.4's manual; those that no column needs are read over; an unknown one is refused.
//!
//! Read next: `build.rs`, which fills the event by [`What`].

use std::sync::Arc;

use super::lex::Directive;
use super::scan::Text;
use super::time::{self, Piece};

/// A directive and its meaning.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// As written, for messages.
    pub directive: String,
    pub what: What,
}

/// What a field tells about the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Nothing that an event holds.
    Nothing,
    ClientHost,
    ClientAddress,
    PeerHost,
    PeerAddress,
    LocalAddress,
    Time {
        pieces: Arc<[Piece]>,
        end: bool,
    },
    RequestLine,
    Method,
    Path,
    Query,
    /// Path and query without a separator.
    Target,
    Version,
    StatusFinal,
    StatusOriginal,
    BodyBytes,
    BytesIn,
    BytesOut,
    BytesBoth,
    /// Microseconds per unit.
    Duration(u64),
    RequestNo,
    ConnectionId,
    CanonicalPort,
    LocalPort,
    RemotePort,
    ServerName,
    HostName,
    Header(String),
    /// A TLS version, or `-` without TLS.
    TlsVersion,
    /// `on` or `off`.
    Https,
}

/// What the text of a field looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Digits,
    Mark,
    Time,
    Text(Text),
}

const WORD: Shape = Shape::Text(Text::Word);
const OPEN: Shape = Shape::Text(Text::Open);

/// Meaning and shape of a directive; the error is the end of a sentence that begins with it.
pub(super) fn meaning(directive: &Directive) -> Result<(What, Shape), String> {
    let arg = directive.arg.as_deref();
    let of_connection = arg == Some("c");
    Ok(match directive.code.as_str() {
        "h" => (if of_connection { What::PeerHost } else { What::ClientHost }, WORD),
        "a" => (if of_connection { What::PeerAddress } else { What::ClientAddress }, WORD),
        "A" => (What::LocalAddress, WORD),
        "t" => {
            let layout = time::compile(arg)?;
            (What::Time { pieces: layout.pieces.into(), end: layout.end }, Shape::Time)
        }
        "r" => (What::RequestLine, OPEN),
        "m" => (What::Method, WORD),
        "U" => (What::Path, OPEN),
        "q" => (What::Query, Shape::Text(Text::Query)),
        "Uq" => (What::Target, OPEN),
        "H" => (What::Version, WORD),
        "s" => (if directive.original == Some(false) { What::StatusFinal } else { What::StatusOriginal }, Shape::Digits),
        "b" | "B" => (What::BodyBytes, Shape::Digits),
        "I" => (What::BytesIn, Shape::Digits),
        "O" => (What::BytesOut, Shape::Digits),
        "S" => (What::BytesBoth, Shape::Digits),
        "D" => (What::Duration(1), Shape::Digits),
        "T" => (What::Duration(duration_unit_us(arg)?), Shape::Digits),
        "k" => (What::RequestNo, Shape::Digits),
        "L" => (if of_connection { What::ConnectionId } else { What::Nothing }, WORD),
        "p" => (port(arg)?, Shape::Digits),
        "v" => (What::ServerName, WORD),
        "V" => (What::HostName, WORD),
        "i" => (What::Header(argument(arg)?.to_owned()), OPEN),
        "x" => tls_variable(argument(arg)?),
        "e" => environment(argument(arg)?),
        "X" => (What::Nothing, Shape::Mark),
        "P" if arg == Some("hextid") => (What::Nothing, WORD),
        "P" | "^FB" => (What::Nothing, Shape::Digits),
        "l" | "R" => (What::Nothing, WORD),
        "f" | "u" => (What::Nothing, OPEN),
        "o" | "n" | "C" | "c" | "^ti" | "^to" => {
            argument(arg)?;
            (What::Nothing, OPEN)
        }
        _ => return Err("is no directive of Apache's mod_log_config, mod_logio or mod_ssl".to_owned()),
    })
}

fn argument(arg: Option<&str>) -> Result<&str, String> {
    arg.filter(|a| !a.is_empty()).ok_or_else(|| "needs a name in braces, as in %{User-Agent}i".to_owned())
}

fn duration_unit_us(arg: Option<&str>) -> Result<u64, String> {
    match arg {
        None | Some("" | "s") => Ok(1_000_000),
        Some("ms") => Ok(1_000),
        Some("us") => Ok(1),
        Some(_) => Err("has a unit other than s, ms and us".to_owned()),
    }
}

fn port(arg: Option<&str>) -> Result<What, String> {
    match arg.unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "canonical" => Ok(What::CanonicalPort),
        "local" => Ok(What::LocalPort),
        "remote" => Ok(What::RemotePort),
        _ => Err("is a port other than canonical, local and remote".to_owned()),
    }
}

/// Variables of mod_ssl. Names of certificates may hold blanks.
fn tls_variable(name: &str) -> (What, Shape) {
    match name {
        "SSL_PROTOCOL" => (What::TlsVersion, WORD),
        "HTTPS" => (What::Https, WORD),
        "SSL_CIPHER" | "SSL_SESSION_ID" | "SSL_SESSION_RESUMED" | "SSL_SECURE_RENEG" | "SSL_CIPHER_USEKEYSIZE" => {
            (What::Nothing, WORD)
        }
        _ => (What::Nothing, OPEN),
    }
}

/// Variables of `SSLOptions +StdEnvVars`.
fn environment(name: &str) -> (What, Shape) {
    match name {
        "SSL_PROTOCOL" => (What::TlsVersion, OPEN),
        "HTTPS" => (What::Https, OPEN),
        _ => (What::Nothing, OPEN),
    }
}
