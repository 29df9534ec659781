//! Addresses to block, in the forms that firewalls and servers read.
//!
//! Promises: an address that scoring allowed, a label or an analyst calls legitimate, or that belongs to a published crawler never
//! appears; neither does one that would hurt whoever loads the list (loopback, unspecified, link-local, multicast, broadcast); the
//! order is that of the addresses; a file is replaced as a whole or not at all.
//!
//! Behind a proxy the source of the connection is the proxy. Such clients are listed by the address the web server saw, and only in
//! forms that a web server applies; a packet filter would block the proxy, so `ipset` leaves them out and says how many.
//!
//! Read next: `../cli/detect.rs`, `sql/shared/queries/api_blocklist*.sql`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;

use ja4_replay::store::{Statement, Store};
use serde_json::json;

use super::alert::rank;
use super::record::records;
use crate::error::LabError;
use crate::render::visible;

const ANOMALOUS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/api_blocklist.sql"));
const TRUSTED: Statement = Statement::shared(include_str!("../../../sql/shared/queries/api_blocklist_trusted.sql"));

/// How long a CrowdSec decision lasts.
const CROWDSEC_DURATION: &str = "24h";

/// A form of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One address a line, `#` begins a comment.
    Plain,
    /// For `ipset restore`: replaces the sets `ja4-block-v4` and `ja4-block-v6` in one step.
    Ipset,
    /// For `cscli decisions import`.
    Crowdsec,
    /// For Apache: a `<RequireAll>` block to include where access is granted.
    Apache,
}

impl Format {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Ipset, Self::Crowdsec, Self::Apache];
    /// Their names, in the same order.
    pub const NAMES: [&str; 4] = ["plain", "ipset", "crowdsec", "apache"];
}

/// Whom to list.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// The mildest severity, as its place in [`super::alert::SEVERITIES`].
    pub from: usize,
    /// Hours that begin in this range, ms since 1970, end excluded.
    pub range_ms: (i64, i64),
}

/// One address and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Severity of its worst session.
    pub severity: String,
    /// Score of its worst session.
    pub score: f64,
    /// Why, in one sentence.
    pub reason: String,
    /// Anomalous sessions.
    pub sessions: i64,
    /// Whether the connections came from a proxy.
    pub behind_proxy: bool,
}

/// A block-list.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// By address.
    pub entries: BTreeMap<IpAddr, Entry>,
    /// Addresses left out because they are trusted.
    pub trusted: usize,
    /// Addresses left out because blocking them would hurt the site itself.
    pub unfit: usize,
}

/// Reads who is to be blocked.
///
/// # Errors
/// The store's refusal.
pub fn collect(store: &dyn Store, wish: &Wish) -> Result<List, LabError> {
    let trusted: BTreeSet<IpAddr> =
        records(&store.ask(&TRUSTED, &[])?).iter().filter_map(|row| row.text("address").parse().ok()).map(canonical).collect();
    let range = [wish.range_ms.0.to_string(), wish.range_ms.1.to_string()];
    let mut list = List::default();
    let (mut left, mut unfit) = (BTreeSet::new(), BTreeSet::new());
    for row in records(&store.ask(&ANOMALOUS, &[&range[0], &range[1]])?) {
        if rank(row.text("severity")).is_none_or(|rank| rank < wish.from) {
            continue;
        }
        let source = row.text("src_ip").parse::<IpAddr>().ok().map(canonical);
        let client = row.text("client_ip").parse::<IpAddr>().ok().map(canonical);
        let Some(address) = client.or(source) else { continue };
        let behind_proxy = source.is_some_and(|source| source != address);
        if trusted.contains(&address) {
            left.insert(address);
        } else if !fit(address) {
            unfit.insert(address);
        } else {
            merge(&mut list.entries, address, &row, behind_proxy);
        }
    }
    (list.trusted, list.unfit) = (left.len(), unfit.len());
    Ok(list)
}

fn merge(entries: &mut BTreeMap<IpAddr, Entry>, address: IpAddr, row: &super::record::Record, behind_proxy: bool) {
    let new = Entry {
        severity: row.text("severity").to_owned(),
        score: row.float("score"),
        reason: row.text("reason").to_owned(),
        sessions: row.int("sessions"),
        behind_proxy,
    };
    match entries.get_mut(&address) {
        None => {
            entries.insert(address, new);
        }
        Some(entry) => {
            let sessions = entry.sessions.saturating_add(new.sessions);
            let behind_proxy = entry.behind_proxy && new.behind_proxy;
            if new.score > entry.score {
                *entry = new;
            }
            (entry.sessions, entry.behind_proxy) = (sessions, behind_proxy);
        }
    }
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether blocking an address cannot hurt whoever does.
fn fit(address: IpAddr) -> bool {
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return false;
    }
    match address {
        IpAddr::V4(v4) => !v4.is_broadcast() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    }
}

impl List {
    /// The list as text.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Plain => self.plain(),
            Format::Ipset => self.ipset(),
            Format::Crowdsec => self.crowdsec(),
            Format::Apache => self.apache(),
        }
    }

    /// Addresses that `format` leaves out because a packet filter would hit their proxy.
    #[must_use]
    pub fn left_to_servers(&self, format: Format) -> usize {
        if format == Format::Ipset { self.entries.values().filter(|entry| entry.behind_proxy).count() } else { 0 }
    }

    fn plain(&self) -> String {
        let mut text = String::new();
        for (address, entry) in &self.entries {
            let _ = writeln!(text, "{address} # {} {:.3}: {}", entry.severity, entry.score, comment(&entry.reason));
        }
        text
    }

    fn ipset(&self) -> String {
        let mut text = String::new();
        let direct: Vec<IpAddr> =
            self.entries.iter().filter(|(_, entry)| !entry.behind_proxy).map(|(address, _)| *address).collect();
        for (set, family, six) in [("ja4-block-v4", "inet", false), ("ja4-block-v6", "inet6", true)] {
            let members: Vec<IpAddr> = direct.iter().copied().filter(|address| address.is_ipv6() == six).collect();
            let room = members.len().max(65_536);
            let options = format!("hash:ip family {family} hashsize 1024 maxelem {room}");
            let _ = writeln!(text, "create {set} {options} -exist");
            let _ = writeln!(text, "create {set}-new {options} -exist");
            let _ = writeln!(text, "flush {set}-new");
            for address in members {
                let _ = writeln!(text, "add {set}-new {address}");
            }
            let _ = writeln!(text, "swap {set} {set}-new");
            let _ = writeln!(text, "destroy {set}-new");
        }
        text
    }

    fn crowdsec(&self) -> String {
        let decisions = self.entries.iter().map(|(address, entry)| {
            json!({
                "duration": CROWDSEC_DURATION, "origin": "ja4-platform", "reason": format!("ja4/{}: {}", entry.severity, comment(&entry.reason)),
                "scope": "ip", "type": "ban", "value": address.to_string(),
            })
        });
        format!("{}\n", serde_json::Value::from_iter(decisions))
    }

    fn apache(&self) -> String {
        let mut text = String::from(
            "# Include this inside <Location>, <Directory> or a virtual host's <Location \"/\">.\n<RequireAll>\n  Require all granted\n",
        );
        for (address, entry) in &self.entries {
            let _ = writeln!(
                text,
                "  # {} {:.3}: {}\n  Require not ip {address}",
                entry.severity,
                entry.score,
                comment(&entry.reason)
            );
        }
        text.push_str("</RequireAll>\n");
        text
    }
}

/// A reason inside a comment: one line that cannot continue (Apache joins lines at a backslash), of bounded length.
fn comment(reason: &str) -> String {
    visible(reason).replace('\\', "/").chars().take(200).collect()
}

/// Writes `text` to `path` as a whole: a reader sees the old file or the new one.
///
/// # Errors
/// The file system's refusal; then the old file stays.
pub fn write_whole(path: &Path, text: &str) -> Result<(), LabError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let fresh = path.with_file_name(name);
    let written = std::fs::File::create(&fresh).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let moved = written.and_then(|()| std::fs::rename(&fresh, path));
    if moved.is_err() {
        // What could not be moved must not stay beside the old list.
        let _ = std::fs::remove_file(&fresh);
    }
    moved.map_err(LabError::io("write the block-list", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> List {
        let entry = |reason: &str, behind_proxy| Entry {
            severity: "high".to_owned(),
            score: 0.9,
            reason: reason.to_owned(),
            sessions: 1,
            behind_proxy,
        };
        List {
            entries: BTreeMap::from([
                ("192.0.2.7".parse().unwrap(), entry("claims chrome\nRequire all granted \\", false)),
                ("2001:db8::7".parse().unwrap(), entry("x", false)),
                ("198.51.100.9".parse().unwrap(), entry("seen behind a proxy", true)),
            ]),
            ..List::default()
        }
    }

    #[test]
    fn every_form_parses_back() {
        let list = list();
        let plain = list.render(Format::Plain);
        let back: Vec<IpAddr> = plain.lines().map(|line| line.split(" # ").next().unwrap().parse().unwrap()).collect();
        assert_eq!(back, list.entries.keys().copied().collect::<Vec<_>>());
        let ipset = list.render(Format::Ipset);
        assert!(
            ipset.contains("add ja4-block-v4-new 192.0.2.7\n") && ipset.contains("add ja4-block-v6-new 2001:db8::7\n"),
            "{ipset}"
        );
        assert!(!ipset.contains("198.51.100.9"), "a packet filter would block the proxy");
        assert_eq!(list.left_to_servers(Format::Ipset), 1);
        let crowdsec: serde_json::Value = serde_json::from_str(&list.render(Format::Crowdsec)).unwrap();
        assert_eq!(crowdsec.as_array().unwrap().len(), 3);
        let apache = list.render(Format::Apache);
        assert_eq!(apache.matches("Require not ip ").count(), 3);
        assert_eq!(apache.lines().filter(|line| line.trim_start().starts_with("Require all granted")).count(), 1, "{apache}");
        assert!(!apache.contains('\\'), "{apache}");
    }

    #[test]
    fn nothing_that_hurts_the_site_is_listed() {
        for bad in ["127.0.0.1", "0.0.0.0", "::1", "::", "224.0.0.1", "255.255.255.255", "169.254.1.1", "fe80::1", "ff02::1"] {
            assert!(!fit(bad.parse().unwrap()), "{bad}");
        }
        assert!(fit("192.0.2.7".parse().unwrap()) && fit("2001:db8::1".parse().unwrap()));
    }
}
