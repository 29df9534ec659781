//! A scenario as written: who visits which sites, how, from where and when. Only read and checked here.
//!
//! Promises: what comes out is usable as it is: names resolve, ranges hold, lists are not empty; else the message names the line.
//!
//! Read next: `datasets/scenarios/*.toml` (examples), `engine.rs` (what is made of it).

use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::templates::Templates;
use crate::checked_toml::{Span, TextFile, share, whole};
use crate::error::LabError;

/// A whole scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name; becomes that of the data set.
    pub name: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// First instant, RFC 3339.
    #[serde(deserialize_with = "instant")]
    pub start: i64,
    /// How long visits begin after it.
    pub length: Span,
    /// Which logs are written; the first is the richest.
    #[serde(default = "module_log")]
    pub logs: Vec<LogKind>,
    /// What the server's clock is ahead of the capture's.
    #[serde(default)]
    pub log_skew: Span,
    /// The wire.
    #[serde(default)]
    pub network: Network,
    /// The web sites, all behind one server.
    pub site: Vec<Site>,
    /// The visitors.
    pub population: Vec<Population>,
}

/// A kind of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogKind {
    /// JSON lines as the Apache module writes: all headers, HTTP/2 fingerprint, connection numbers.
    Module,
    /// JSON lines as the `LogFormat` of `datasets/record/logformat.conf` writes.
    Logformat,
    /// Combined with both ports.
    Combined,
}

/// The wire between clients and server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Server's IPv4 address.
    pub server: IpAddr,
    /// Server's IPv6 address.
    pub server6: IpAddr,
    /// Shortest and longest round-trip time; drawn for each address, evenly on a logarithmic scale.
    pub rtt: [Span; 2],
    /// Fewest and most hops: what is subtracted from a template's TTL, by address.
    pub hops: [u8; 2],
    /// Client ports, first and last; a small range makes them come again soon.
    pub ports: [u16; 2],
    /// Share of packets that the capture lost.
    #[serde(deserialize_with = "share")]
    pub capture_loss: f64,
    /// Share of client packets with data that are sent a second time.
    #[serde(deserialize_with = "share")]
    pub retransmit: f64,
    /// How long the server keeps an idle connection.
    pub keepalive: Span,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            server: IpAddr::from([10, 77, 0, 10]),
            server6: IpAddr::from([0xfd77, 0, 0, 0, 0, 0, 0, 0x10]),
            rtt: [Span(4_000_000), Span(120_000_000)],
            hops: [1, 20],
            ports: [32_768, 60_999],
            capture_loss: 0.0,
            retransmit: 0.002,
            keepalive: Span(5_000_000_000),
        }
    }
}

/// A web site.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its name.
    pub host: String,
    /// Pages it has.
    #[serde(default = "two_hundred", deserialize_with = "whole::<1, 1_000_000, _>")]
    pub pages: u64,
    /// Assets a page asks for.
    #[serde(default = "eight", deserialize_with = "whole::<0, 100, _>")]
    pub assets: u64,
}

/// How visitors behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// A person: pages with their assets, time to read, searches, a form now and then.
    Browse,
    /// A driven browser: pages with their assets, no time to read.
    Automate,
    /// An honest crawler: robots.txt, then page after page at a steady pace.
    Crawl,
    /// Page after page by number, nothing else.
    Scrape,
    /// A list of paths that should not be there.
    Scan,
    /// Passwords against the login form.
    Bruteforce,
    /// One page, at a fixed interval.
    Monitor,
    /// Calls of the interface for programs.
    Api,
}

/// When in the day visits begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hours {
    /// At any hour alike.
    #[default]
    Flat,
    /// As people do: few at night, most in the evening.
    People,
    /// 00:00 to 06:00 only.
    Night,
}

/// A group of visitors who are alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Its name; stands in the labels.
    pub name: String,
    /// Templates of their handshakes; each member keeps one.
    pub client: Spanned<Vec<Spanned<String>>>,
    /// How often each template; even without it.
    #[serde(default)]
    pub weights: Option<Spanned<Vec<f64>>>,
    /// Template of their headers, where it is not that of the handshake.
    #[serde(default)]
    pub headers_of: Option<Spanned<String>>,
    /// Template of their HTTP/2 settings, where it is not that of the handshake.
    #[serde(default)]
    pub h2_of: Option<Spanned<String>>,
    /// Texts that are replaced in every header value: pairs of old and new.
    #[serde(default)]
    pub replace: Vec<[String; 2]>,
    /// Kind in the labels; that of the first template without it.
    #[serde(default)]
    pub kind: Option<String>,
    /// `human`, `good_bot` or `bot`; that of the first template without it.
    #[serde(default)]
    pub class: Option<Spanned<String>>,
    /// Campaign they belong to.
    #[serde(default)]
    pub campaign: String,
    /// How many there are.
    #[serde(deserialize_with = "whole::<1, 10_000_000, _>")]
    pub members: u64,
    /// Networks of their addresses, taken in turn.
    pub addresses: Vec<Subnet>,
    /// Members behind one address.
    #[serde(default = "one", deserialize_with = "whole::<1, 10_000, _>")]
    pub members_per_address: u64,
    /// Visits a day, of all together.
    pub visits_per_day: Spanned<f64>,
    /// When in the day.
    #[serde(default)]
    pub hours: Hours,
    /// First of their visits, after the start of the scenario.
    #[serde(default)]
    pub from: Span,
    /// No visits from here on.
    #[serde(default)]
    pub until: Option<Span>,
    /// How they behave.
    pub behaviour: Behaviour,
    /// Fewest and most requests of a visit.
    pub requests: Spanned<[u64; 2]>,
    /// Median time between their steps.
    pub gap: Span,
    /// Deviation of the logarithm of that time: 0 is a timer, 1 a person.
    #[serde(default)]
    pub gap_spread: Option<Spanned<f64>>,
    /// Sites they visit; all without it.
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    /// A new connection for every request.
    #[serde(default)]
    pub connection_each: bool,
    /// Another template for every connection.
    #[serde(default)]
    pub rotate: bool,
    /// What changes later; each entry keeps what it does not name.
    #[serde(default)]
    pub change: Vec<Change>,
}

/// What is different from a time on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// From when, after the start of the scenario.
    pub at: Span,
    /// New handshakes.
    #[serde(default)]
    pub client: Option<Spanned<Vec<Spanned<String>>>>,
    /// New headers.
    #[serde(default)]
    pub headers_of: Option<Spanned<String>>,
    /// New texts in header values.
    #[serde(default)]
    pub replace: Option<Vec<[String; 2]>>,
    /// New pace.
    #[serde(default)]
    pub gap: Option<Span>,
    /// New length of a visit.
    #[serde(default)]
    pub requests: Option<Spanned<[u64; 2]>>,
}

/// A network, `10.80.0.0/16` or `fd77:80::/48`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// First address.
    pub base: IpAddr,
    /// Length of the prefix.
    pub bits: u8,
}

impl<'de> Deserialize<'de> for Subnet {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || serde::de::Error::custom(format!("{text:?} is no network; write 10.80.0.0/16 or fd77:80::/48"));
        let (base, bits) = text.split_once('/').ok_or_else(wrong)?;
        let (base, bits): (IpAddr, u8) = (base.parse().map_err(|_| wrong())?, bits.parse().map_err(|_| wrong())?);
        let most = if base.is_ipv4() { 30 } else { 120 };
        if !(8..=most).contains(&bits) {
            return Err(serde::de::Error::custom(format!("{text:?}: the prefix must have 8 to {most} bits")));
        }
        Ok(Self { base, bits })
    }
}

impl Scenario {
    /// Reads and checks a scenario file.
    ///
    /// # Errors
    /// With file and line, what is wrong and what is allowed.
    pub fn read(path: &Path, templates: &Templates) -> Result<Self, LabError> {
        Self::of(&TextFile::read("scenario", path)?, templates)
    }

    /// The same from a text.
    ///
    /// # Errors
    /// As [`Scenario::read`].
    pub fn of(file: &TextFile, templates: &Templates) -> Result<Self, LabError> {
        let scenario: Self = file.parse()?;
        let plain = |detail: String| Err(LabError::Ask(format!("scenario {:?}: {detail}", scenario.name)));
        let good_name = |name: &str| {
            !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if !good_name(&scenario.name) {
            return plain("name must be 1 to 64 letters, digits, dots, dashes or underscores".to_owned());
        }
        if !(Span::parse("1s").unwrap_or_default()..=Span::parse("366d").unwrap_or_default()).contains(&scenario.length) {
            return plain("length must be from 1s to 366d".to_owned());
        }
        if scenario.logs.is_empty() || scenario.site.is_empty() || scenario.population.is_empty() {
            return plain("it needs at least one entry in logs, one [[site]] and one [[population]]".to_owned());
        }
        if scenario.log_skew.0.unsigned_abs() > 120_000_000_000 {
            return plain("log_skew must be from -120s to 120s".to_owned());
        }
        if let Err(detail) = scenario.network.check() {
            return plain(detail);
        }
        if let Some(site) = scenario.site.iter().find(|site| !good_name(&site.host)) {
            return plain(format!("host {:?} of a [[site]] must be letters, digits, dots and dashes", site.host));
        }
        let mut names: Vec<&str> = scenario.population.iter().map(|population| population.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            return plain(format!("two populations are called {:?}", twice.first().unwrap_or(&"")));
        }
        for population in &scenario.population {
            if !good_name(&population.name) || !(population.campaign.is_empty() || good_name(&population.campaign)) {
                return plain(format!(
                    "name and campaign of population {:?} must be letters, digits, dots, dashes",
                    population.name
                ));
            }
            population.check(file, &scenario, templates)?;
        }
        Ok(scenario)
    }
}

impl Network {
    fn check(&self) -> Result<(), String> {
        if !self.server.is_ipv4() || !self.server6.is_ipv6() {
            return Err("network.server must be an IPv4 and network.server6 an IPv6 address".to_owned());
        }
        let [low, high] = self.rtt;
        if low.0 < 10_000 || high < low || high.0 > 10_000_000_000 {
            return Err("network.rtt must be two spans, the shorter first, from 10us to 10s".to_owned());
        }
        if self.hops[0] > self.hops[1] || self.hops[1] > 40 {
            return Err("network.hops must be two numbers, the smaller first, from 0 to 40".to_owned());
        }
        if self.ports[0] < 1024 || self.ports[1].saturating_sub(self.ports[0]) < 15 {
            return Err("network.ports must be two numbers from 1024 to 65535, the second at least 15 above the first".to_owned());
        }
        if !(100_000_000..=3_600_000_000_000).contains(&self.keepalive.0) {
            return Err("network.keepalive must be from 100ms to 1h".to_owned());
        }
        Ok(())
    }
}

impl Population {
    fn check(&self, file: &TextFile, scenario: &Scenario, templates: &Templates) -> Result<(), LabError> {
        let known =
            |name: &Spanned<String>| match templates.client(name.get_ref()) {
                Some(_) => Ok(()),
                None => Err(file
                    .wrong(name.span(), format!("there is no template {:?}; there are {}", name.get_ref(), templates.names()))),
            };
        let clients = |list: &Spanned<Vec<Spanned<String>>>| {
            if list.get_ref().is_empty() {
                return Err(file.wrong(list.span(), "the list is empty; name at least one template"));
            }
            list.get_ref().iter().try_for_each(known)
        };
        let requests = |range: &Spanned<[u64; 2]>| {
            let [low, high] = *range.get_ref();
            if low >= 1 && low <= high && high <= 100_000 {
                return Ok(());
            }
            Err(file.wrong(range.span(), format!("[{low}, {high}] must be fewest and most, from 1 to 100000")))
        };
        clients(&self.client)?;
        requests(&self.requests)?;
        self.headers_of.iter().chain(&self.h2_of).try_for_each(known)?;
        for change in &self.change {
            change.client.iter().try_for_each(clients)?;
            change.headers_of.iter().try_for_each(known)?;
            change.requests.iter().try_for_each(requests)?;
        }
        if let Some(weights) = &self.weights
            && (weights.get_ref().len() != self.client.get_ref().len() || !weights.get_ref().iter().all(|w| *w > 0.0 && *w < 1e9))
        {
            return Err(file.wrong(weights.span(), "weights must be as many numbers above 0 as client has names"));
        }
        if let Some(class) = &self.class
            && !["human", "good_bot", "bot"].contains(&class.get_ref().as_str())
        {
            return Err(file.wrong(class.span(), format!("{:?} is no class; allowed are human, good_bot, bot", class.get_ref())));
        }
        let visits = *self.visits_per_day.get_ref();
        if !(visits > 0.0 && visits <= 1e9) {
            return Err(file.wrong(self.visits_per_day.span(), format!("{visits} must be above 0 and at most 1e9")));
        }
        if let Some(spread) = &self.gap_spread
            && !(0.0..=5.0).contains(spread.get_ref())
        {
            return Err(file.wrong(spread.span(), "must be from 0.0 (a timer) to 5.0"));
        }
        if let Some(host) = self.hosts.iter().find(|host| !scenario.site.iter().any(|site| site.host == *host.get_ref())) {
            let sites: Vec<&str> = scenario.site.iter().map(|site| site.host.as_str()).collect();
            return Err(
                file.wrong(host.span(), format!("no [[site]] is called {:?}; there are {}", host.get_ref(), sites.join(", ")))
            );
        }
        let plain =
            |detail: &str| Err(LabError::Ask(format!("scenario {:?}, population {:?}: {detail}", scenario.name, self.name)));
        if self.addresses.is_empty() {
            return plain("addresses must name at least one network");
        }
        if self.gap.0 < 0 || self.gap.0 > 86_400_000_000_000 {
            return plain("gap must be from 0s to 1d");
        }
        if self.from.0 < 0 || self.until.is_some_and(|until| until <= self.from) {
            return plain("from must not be negative, and until must be later than from");
        }
        let capacity: u128 = self.addresses.iter().map(Subnet::capacity).sum();
        if u128::from(self.members.div_ceil(self.members_per_address)) > capacity {
            return plain(&format!("its networks have {capacity} addresses, too few for {} members", self.members));
        }
        Ok(())
    }
}

impl Subnet {
    /// Addresses that can be given out.
    fn capacity(&self) -> u128 {
        let width = if self.base.is_ipv4() { 32 } else { 128_u32 };
        let free = width.saturating_sub(u32::from(self.bits)).min(64);
        (1_u128 << free).saturating_sub(2)
    }
}

fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = || serde::de::Error::custom(format!("{text:?} is no time; write 2026-11-02T00:00:00Z"));
    let time: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    i64::try_from(time.as_nanosecond()).ok().filter(|ns| *ns > 0).ok_or_else(wrong)
}

fn module_log() -> Vec<LogKind> {
    vec![LogKind::Module]
}

fn one() -> u64 {
    1
}

fn eight() -> u64 {
    8
}

fn two_hundred() -> u64 {
    200
}
