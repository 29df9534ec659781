//! Who publishes what: the list of upstreams, read and checked.
//!
//! Promises: every address is https, or http on this machine; a slip is told with file, line and key.
//!
//! Read next: `datasets/reference/upstreams.toml`.

use std::path::Path;

use serde::Deserialize;

use super::POLICY;
use crate::checked_toml::{Span, TextFile, whole};
use crate::error::LabError;

/// The list that the program was built with.
const EMBEDDED: &str = include_str!("../../../datasets/reference/upstreams.toml");

/// Every publisher.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstreams {
    /// In the order of the file, which is the order they are asked in.
    pub upstream: Vec<Upstream>,
}

/// One publisher's file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// What it is called here.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// What it holds.
    pub format: Format,
    /// What its rows are called in `bot_ip.csv`; its name without it.
    #[serde(default)]
    pub label: String,
    /// Under which terms it is published, as an SPDX name, or `facts`.
    pub licence: String,
    /// Longest answer, and longest text in an archive.
    #[serde(default = "sixteen_mib", deserialize_with = "whole::<1, 268_435_456, _>")]
    pub most_bytes: u64,
    /// Fewest rows that are plausible.
    #[serde(default = "one", deserialize_with = "whole::<1, 10_000_000, _>")]
    pub least_rows: u64,
    /// How long an answer may take, all redirects and the whole body included.
    #[serde(default = "a_minute")]
    pub timeout: Span,
}

/// What a publisher's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `network,asn,country_code,name,org,domain` in CSV, plain, gzip or zip; whole Internet.
    IplocateAsn,
    /// `{"prefixes": [{"ipv4Prefix": …}, {"ipv6Prefix": …}]}`, as Google, Bing, Apple and OpenAI publish.
    PrefixesJson,
    /// One address or prefix a line, `#` begins a comment.
    Addresses,
    /// Records with `ja4_fingerprint`, `application`, `library`, `verified`.
    Ja4db,
    /// Rules of an Anubis policy: a list, or a mapping with `bots`.
    Anubis,
}

impl Format {
    /// The files its rows go to.
    #[must_use]
    pub fn files(self) -> &'static [&'static str] {
        match self {
            Self::IplocateAsn => &["asn.csv"],
            Self::PrefixesJson | Self::Addresses => &["bot_ip.csv"],
            Self::Ja4db => &["ja4_browser.csv", "ja4_bot.csv"],
            Self::Anubis => &[POLICY],
        }
    }
}

impl Upstreams {
    /// The list of `path`, or the one the program was built with.
    ///
    /// # Errors
    /// With file, line and key, what is wrong and what is allowed.
    pub fn read(path: Option<&Path>) -> Result<Self, LabError> {
        match path {
            Some(path) => Self::of(&TextFile::read("upstreams", path)?),
            None => Self::of(&TextFile::of("upstreams", "datasets/reference/upstreams.toml", EMBEDDED)),
        }
    }

    fn of(file: &TextFile) -> Result<Self, LabError> {
        let found: Self = file.parse()?;
        let mut names = std::collections::BTreeSet::new();
        for upstream in &found.upstream {
            let plain = |detail: &str| Err(LabError::Ask(format!("read upstreams, {:?}: {detail}", upstream.name)));
            if upstream.name.is_empty() || !upstream.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
                return plain("name must be letters, digits, dashes, dots or underscores");
            }
            if !names.insert(&upstream.name) {
                return plain("the name stands twice");
            }
            if !may_be_asked(&upstream.url) {
                return plain("url must begin with https://, or with http:// on this machine (localhost, 127.0.0.1, [::1])");
            }
            if upstream.timeout.0 <= 0 {
                return plain("timeout must be above 0s");
            }
            let plain_text =
                |text: &str| text.len() <= 60 && text.chars().all(|c| c.is_ascii_graphic() || c == ' ') && !text.contains(',');
            if !plain_text(&upstream.label) || !plain_text(&upstream.licence) || upstream.licence.is_empty() {
                return plain("label and licence must be at most 60 plain characters without a comma, and licence must be given");
            }
        }
        Ok(found)
    }

    /// Those of these names, in the order of the file; all if none is named.
    ///
    /// # Errors
    /// A name that is not in the list.
    pub fn chosen(&self, only: &[String]) -> Result<Vec<&Upstream>, LabError> {
        for name in only {
            if !self.upstream.iter().any(|upstream| upstream.name == *name) {
                let names: Vec<&str> = self.upstream.iter().map(|upstream| upstream.name.as_str()).collect();
                return Err(LabError::Ask(format!(
                    "dataset update: there is no upstream {name:?}; there are {}",
                    names.join(", ")
                )));
            }
        }
        Ok(self.upstream.iter().filter(|upstream| only.is_empty() || only.contains(&upstream.name)).collect())
    }
}

impl Upstream {
    /// What its rows are called.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.label.is_empty() { &self.name } else { &self.label }
    }

    /// What stands in the column `source` of its rows.
    #[must_use]
    pub fn source(&self) -> String {
        self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest).replace(',', "%2C")
    }
}

/// Whether something may be fetched from `url`: over TLS, or from this machine.
pub(super) fn may_be_asked(url: &str) -> bool {
    url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) || is_here(url)
}

/// Whether `url` is plain HTTP on this machine.
pub(super) fn is_here(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(authority, |(host, _)| host);
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

fn sixteen_mib() -> u64 {
    16 << 20
}

fn one() -> u64 {
    1
}

fn a_minute() -> Span {
    Span(60_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_ships_is_sound_and_a_slip_is_told() {
        let shipped = Upstreams::read(None).unwrap();
        assert!(shipped.upstream.len() >= 8);
        assert!(shipped.chosen(&["nobody".to_owned()]).unwrap_err().to_string().contains("there are iplocate-asn"));
        let good = "[[upstream]]\nname = \"x\"\nurl = \"https://x.example/y\"\nformat = \"addresses\"\nlicence = \"facts\"\n";
        let parse = |text: &str| Upstreams::of(&TextFile::of("upstreams", "u.toml", text));
        parse(good).unwrap();
        for (old, new, part) in [
            ("addresses", "addres", "line 4: format: unknown variant `addres`"),
            ("https://", "http://", "must begin with https://"),
            ("https://x.example", "file://", "must begin with https://"),
            ("licence", "license", "line 5: license: unknown field"),
            ("licence = \"facts\"", "licence = \"a,b\"", "without a comma"),
            ("licence", "timeout = \"0s\"\nlicence", "timeout must be above 0s"),
            ("licence", "most_bytes = 0\nlicence", "line 5: most_bytes: 0 is out of range"),
        ] {
            let message = parse(&good.replacen(old, new, 1)).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        assert!(parse(&format!("{good}{good}")).unwrap_err().to_string().contains("stands twice"));
    }

    #[test]
    fn only_tls_and_this_machine_may_be_asked() {
        for url in ["https://a.example/b", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8080/?q"] {
            assert!(may_be_asked(url), "{url}");
        }
        for url in [
            "http://a.example/b",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1:80@evil.example/",
            "ftp://x",
            "https://",
            "/x",
        ] {
            assert!(!may_be_asked(url), "{url}");
        }
    }
}
