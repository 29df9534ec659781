//! Alerts as CEF in RFC 5424 datagrams, over UDP or a local socket.
//!
//! Promises: whatever a client put into its User-Agent or host, it stays inside its field: delimiters are escaped, controls become
//! spaces; a datagram is at most [`LONGEST`] bytes, cut between characters; sending never waits.
//!
//! Read next: `mod.rs`.

use std::fmt;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Alert, Target};

/// The longest datagram: what every receiver must take by RFC 5426 is 480, what is usual is 2048.
pub const LONGEST: usize = 2048;

/// Facility local4 (20), severity by the alert's.
const FACILITY: u8 = 20;

/// Where datagrams go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogTarget {
    /// `udp://HOST:PORT`.
    Udp(String),
    /// `unix:/dev/log`.
    Unix(PathBuf),
}

impl std::str::FromStr for SyslogTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(format!("{text:?}: write unix:/dev/log")) };
        }
        let address = text.strip_prefix("udp://").unwrap_or(text);
        let port = address.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        match port {
            Some(_) => Ok(Self::Udp(address.to_owned())),
            None => Err(format!("{text:?}: write udp://HOST:PORT or unix:/dev/log")),
        }
    }
}

impl fmt::Display for SyslogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "syslog udp://{address}"),
            Self::Unix(path) => write!(f, "syslog unix:{}", path.display()),
        }
    }
}

/// Sends one datagram.
type Sender = Box<dyn Fn(&[u8]) -> std::io::Result<usize>>;

/// The socket, made anew after a failure.
pub struct Syslog {
    target: SyslogTarget,
    machine: String,
}

impl Syslog {
    /// Nothing is sent yet.
    pub fn new(target: SyslogTarget) -> Self {
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let machine: String = machine.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
        Self { target, machine: if machine.is_empty() { "-".to_owned() } else { machine } }
    }
}

impl Target for Syslog {
    fn deliver(&mut self, alerts: &[Arc<Alert>]) -> Result<(), String> {
        let send: Sender = match &self.target {
            SyslogTarget::Udp(address) => {
                let any = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
                let socket = UdpSocket::bind(any).map_err(|error| format!("open a socket: {error}"))?;
                socket.connect(address).map_err(|error| format!("reach it: {error}"))?;
                Box::new(move |bytes| socket.send(bytes))
            }
            SyslogTarget::Unix(path) => {
                let socket = UnixDatagram::unbound().map_err(|error| format!("open a socket: {error}"))?;
                socket.set_write_timeout(Some(Duration::from_secs(2))).map_err(|error| format!("open a socket: {error}"))?;
                socket.connect(path).map_err(|error| format!("reach it: {error}"))?;
                Box::new(move |bytes| socket.send(bytes))
            }
        };
        for alert in alerts {
            send(message(alert, &self.machine).as_bytes()).map_err(|error| format!("send: {error}"))?;
        }
        Ok(())
    }
}

/// One alert as an RFC 5424 message that carries CEF.
fn message(alert: &Alert, machine: &str) -> String {
    let (level, cef_level) = match alert.severity.as_str() {
        "critical" => (2, 10),
        "high" => (3, 8),
        "medium" => (4, 5),
        _ => (5, 3),
    };
    let time = jiff::Timestamp::from_nanosecond(i128::from(alert.sent_ns)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let mut text = format!(
        "<{}>1 {} {machine} ja4-lab - {} - CEF:0|ja4-platform|ja4-lab|{}|{}|{}|{cef_level}|",
        FACILITY * 8 + level,
        time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"),
        alert.kind,
        env!("CARGO_PKG_VERSION"),
        header(alert.kind),
        header(name(alert.kind)),
    );
    let fields = [
        ("start", (alert.first_ns / 1_000_000).to_string()),
        ("end", (alert.last_ns / 1_000_000).to_string()),
        ("dhost", alert.host.clone()),
        ("cnt", alert.hits.to_string()),
        ("externalId", alert.session_id.clone()),
        ("cs1Label", "ja4".to_owned()),
        ("cs1", alert.ja4.clone()),
        ("cs2Label", "severity".to_owned()),
        ("cs2", alert.severity.clone()),
        ("cs3Label", "claims".to_owned()),
        ("cs3", alert.claims.clone()),
        ("cfp1Label", "score".to_owned()),
        ("cfp1", format!("{:.4}", alert.score)),
        ("cn1Label", "sessions".to_owned()),
        ("cn1", alert.sessions.to_string()),
    ];
    // Only an address may stand in `src`: receivers refuse anything else there.
    let whom = match alert.kind {
        "session" => vec![("src", alert.subject.clone())],
        _ => vec![("cs4Label", "subject".to_owned()), ("cs4", alert.subject.clone())],
    };
    // The reason comes last, so that a cut takes words and no figure.
    let all = fields.into_iter().chain(whom).chain([("msg", alert.reason.clone())]);
    for (index, (name, value)) in all.enumerate() {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(&extension(&value));
    }
    cut(text)
}

/// What a kind of alert is called for people.
fn name(kind: &str) -> &'static str {
    match kind {
        "campaign" => "Campaign",
        "fleet" => "Fleet of clients",
        "drift" => "Drift",
        "model" => "Model retrained",
        "cycle" => "Detection stands still",
        _ => "Anomalous client",
    }
}

fn header(value: &str) -> String {
    plain(value).replace('\\', "\\\\").replace('|', "\\|")
}

fn extension(value: &str) -> String {
    plain(value).replace('\\', "\\\\").replace('=', "\\=")
}

/// Without anything that ends a line or acts on a terminal.
fn plain(value: &str) -> String {
    crate::render::visible(&value.replace(['\r', '\n', '\t'], " ")).chars().take(512).collect()
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_host_stays_in_its_field() {
        let alert = Alert {
            kind: "session",
            severity: "high".to_owned(),
            host: "a|b=c\\d\r\nsrc=9.9.9.9\u{202e}".to_owned(),
            reason: "ü".repeat(4000),
            ..Alert::default()
        };
        let text = message(&alert, "box");
        assert!(text.starts_with("<163>1 1970-01-01T00:00:00.000Z box ja4-lab - session - CEF:0|"), "{text}");
        assert_eq!(text.matches('|').count(), 8, "{text}");
        assert!(text.contains(r"dhost=a|b\=c\\d  src\=9.9.9.9\\u{202e} cnt="), "{text}");
        assert!(text.len() <= LONGEST && !text.contains('\n'));
    }

    #[test]
    fn targets() {
        assert_eq!("udp://h:514".parse(), Ok(SyslogTarget::Udp("h:514".to_owned())));
        assert_eq!("unix:/dev/log".parse(), Ok(SyslogTarget::Unix("/dev/log".into())));
        for bad in ["", "udp://h", "unix:log", "udp://:514", "tcp"] {
            assert!(bad.parse::<SyslogTarget>().is_err(), "{bad}");
        }
    }
}
