//! The address of a ClickHouse store as typed: `clickhouse://user@host:port/?cluster=NAME`, or `clickhouses://` for TLS.
//!
//! Promises: a password is never part of it, so none is printed, logged or seen in a list of processes: it comes from the
//! environment (`JA4_CLICKHOUSE_PASSWORD`) or from a file named by `password-file`.
//!
//! Read next: `mod.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ReplayError;

/// Environment variable that holds the password.
pub const PASSWORD_VARIABLE: &str = "JA4_CLICKHOUSE_PASSWORD";

const PLAIN: &str = "clickhouse://";
const TLS: &str = "clickhouses://";
const ACCEPTED: &str =
    "write clickhouse://USER@HOST:PORT, optionally with /?cluster=NAME&password-file=FILE&timeout=SECONDS&compression=none";

/// Where a server is and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// User name.
    pub user: String,
    /// Host as it stands in a URL: a name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// Port of the HTTP interface.
    pub port: u16,
    /// Over TLS.
    pub tls: bool,
    /// Name of the cluster whose nodes hold the tables; empty for one server.
    pub cluster: String,
    /// File whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// How long one statement may take.
    pub timeout: Duration,
    /// Whether what is sent is compressed; not on the same machine.
    pub compress: bool,
}

/// Whether `db` names a server rather than a file.
#[must_use]
pub fn is_server(db: &Path) -> bool {
    db.to_str().is_some_and(|text| text.starts_with(PLAIN) || text.starts_with(TLS))
}

impl Address {
    /// Reads what was typed.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is accepted.
    pub fn parse(db: &Path) -> Result<Self, ReplayError> {
        let text = db.to_str().unwrap_or_default();
        parse(text).map_err(|detail| ReplayError::Address { detail: format!("{detail}; {ACCEPTED}") })
    }

    /// The URL of the HTTP interface, without user or password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}:{}", if self.tls { "https" } else { "http" }, self.host, self.port)
    }

    /// What messages call this store.
    #[must_use]
    pub fn label(&self) -> String {
        let scheme = if self.tls { TLS } else { PLAIN };
        let cluster = if self.cluster.is_empty() { String::new() } else { format!("/?cluster={}", self.cluster) };
        format!("{scheme}{}@{}:{}{cluster}", self.user, self.host, self.port)
    }

    /// The password: from the file if one is named, else from the environment, else none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn password(&self) -> Result<String, ReplayError> {
        match &self.password_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(ReplayError::io("read password file", path))?;
                Ok(text.lines().next().unwrap_or_default().to_owned())
            }
            None => Ok(std::env::var(PASSWORD_VARIABLE).unwrap_or_default()),
        }
    }
}

fn parse(text: &str) -> Result<Address, String> {
    let (tls, rest) = match (text.strip_prefix(PLAIN), text.strip_prefix(TLS)) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return Err("this is no ClickHouse address".to_owned()),
    };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.strip_suffix('/').unwrap_or(place);
    let (user, host_port) = place.rsplit_once('@').unwrap_or(("default", place));
    if user.contains(':') {
        return Err(format!(
            "a password in the address can be seen by everyone on this machine: put it in the environment ({PASSWORD_VARIABLE}) or a file"
        ));
    }
    if !user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) || user.is_empty() {
        return Err(format!("{user:?} is no user name (letters, digits, `.`, `_`, `-`)"));
    }
    let (host, port) = host_and_port(host_port, if tls { 8443 } else { 8123 })?;
    let mut address = Address {
        user: user.to_owned(),
        compress: !matches!(host.as_str(), "localhost" | "[::1]") && !host.starts_with("127."),
        host,
        port,
        tls,
        cluster: String::new(),
        password_file: None,
        timeout: Duration::from_secs(600),
    };
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        set(&mut address, name, value)?;
    }
    Ok(address)
}

fn host_and_port(text: &str, default_port: u16) -> Result<(String, u16), String> {
    // The colons of an IPv6 address stand inside brackets.
    let port_at = text.rfind(':').filter(|colon| text.rfind(']').is_none_or(|bracket| bracket < *colon));
    let (host, port) = match port_at.and_then(|colon| text.split_at_checked(colon)) {
        Some((host, port)) => {
            let digits = port.trim_start_matches(':');
            (host, digits.parse().map_err(|_| format!("{digits:?} is no port"))?)
        }
        None => (text, default_port),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let v6 = bare != host && bare.parse::<std::net::Ipv6Addr>().is_ok();
    if name && bare == host || v6 { Ok((host.to_owned(), port)) } else { Err(format!("{host:?} is no host name or address")) }
}

fn set(address: &mut Address, name: &str, value: &str) -> Result<(), String> {
    match name {
        // It stands in statements as a name, so it must be one.
        "cluster" if !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            address.cluster = value.to_owned();
        }
        "cluster" => return Err(format!("{value:?} is no cluster name (letters, digits, `_`)")),
        "password-file" if !value.is_empty() => address.password_file = Some(PathBuf::from(value)),
        "timeout" => {
            let secs = value.parse::<u64>().ok().filter(|secs| (1..=86_400).contains(secs));
            address.timeout = Duration::from_secs(secs.ok_or_else(|| format!("timeout {value:?} is no number of seconds"))?);
        }
        "compression" if value == "none" => address.compress = false,
        "compression" if value == "lz4" => address.compress = true,
        _ => return Err(format!("option {name}={value} is not known")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted() {
        let full =
            parse("clickhouse://ja4_writer@db.example:9123/?cluster=main&timeout=30&password-file=/etc/ja4/password").unwrap();
        assert_eq!((full.user.as_str(), full.host.as_str(), full.port), ("ja4_writer", "db.example", 9123));
        assert_eq!((full.cluster.as_str(), full.timeout), ("main", Duration::from_secs(30)));
        assert_eq!(full.label(), "clickhouse://ja4_writer@db.example:9123/?cluster=main");
        assert!(full.compress);
        let short = parse("clickhouse://localhost").unwrap();
        assert_eq!((short.url(), short.label()), ("http://localhost:8123".into(), "clickhouse://default@localhost:8123".into()));
        assert!(!short.compress, "the same machine gains nothing by compression");
        assert_eq!(parse("clickhouses://a@[2001:db8::1]/").unwrap().url(), "https://[2001:db8::1]:8443");
        assert_eq!(parse("clickhouse://[::1]:81").unwrap().port, 81);
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        let told = parse("clickhouse://me:hunter2@host").unwrap_err();
        assert!(told.contains(PASSWORD_VARIABLE) && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "clickhouse://",
            "clickhouse://@h",
            "clickhouse://u@",
            "clickhouse://u@h:port",
            "clickhouse://u@h:99999",
            "clickhouse://u@a b",
            "clickhouse://u@::1",
            "clickhouse://u@[zz]",
            "clickhouse://u@h/path",
            "clickhouse://u@h?cluster=a'b",
            "clickhouse://u@h?cluster=",
            "clickhouse://u@h?timeout=0",
            "clickhouse://u@h?colour=red",
            "clickhouse://u'--@h",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
