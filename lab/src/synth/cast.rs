//! A scenario made ready: every name resolved to its template, every header list written out once.
//!
//! Promises: nothing here depends on the seed.
//!
//! Read next: `visit.rs`.

use std::net::IpAddr;

use super::rng::Stream;
use super::scenario::{Hours, Population, Scenario, Subnet};
use super::site::Purpose;
use super::templates::{Client, Handshake, Templates};
use crate::render::json_text;

/// Header names of the JSON `LogFormat`, in its order; Referer is written apart.
const LOGFORMAT_NAMES: &[&str] = &[
    "User-Agent",
    "Accept",
    "Accept-Language",
    "Accept-Encoding",
    "Referer",
    "Origin",
    "Content-Type",
    "Sec-CH-UA",
    "Sec-CH-UA-Mobile",
    "Sec-CH-UA-Platform",
    "Sec-Fetch-Site",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Dest",
    "Sec-Fetch-User",
    "Upgrade-Insecure-Requests",
    "Cache-Control",
    "Connection",
    "X-Requested-With",
    "Priority",
    "TE",
    "DNT",
];

/// A population made ready.
#[derive(Debug)]
pub struct Group<'a> {
    /// As written.
    pub population: &'a Population,
    /// What holds from when on, in time order; the first from the beginning.
    pub phases: Vec<Phase<'a>>,
    /// Places of its sites in the scenario.
    pub sites: Vec<usize>,
    /// Kind in the labels.
    pub kind: &'a str,
    /// Class in the labels.
    pub class: &'a str,
}

/// What holds for a while.
#[derive(Debug)]
pub struct Phase<'a> {
    /// Since when, ns after the start of the scenario.
    pub from_ns: i64,
    /// Whose handshakes, with their headers.
    pub outfits: Vec<Outfit<'a>>,
    /// How often each.
    pub weights: Vec<f64>,
    /// Median time between steps.
    pub gap_ns: i64,
    /// Fewest and most requests of a visit.
    pub requests: [u64; 2],
}

/// A handshake template with the headers that go with it.
#[derive(Debug)]
pub struct Outfit<'a> {
    /// Whose handshake.
    pub client: &'a Client,
    /// Handshakes of the client by share.
    pub shares: Vec<f64>,
    /// By purpose.
    pub dress: Vec<Dress>,
    /// HTTP/2 fingerprint that the module would log.
    pub h2: String,
}

/// How a request of one purpose is written, apart from what differs between requests.
#[derive(Debug, Clone, Default)]
pub struct Dress {
    /// Whether it speaks HTTP/2 where the handshake allows.
    pub speaks_h2: bool,
    /// `HTTP/1.0` or `HTTP/1.1` otherwise.
    pub old_version: &'static str,
    /// Method that the recorded client used (`GET`, `HEAD`); forms are `POST`.
    pub method: String,
    /// `["Name","value"],…` for HTTP/1.
    pub module_h1: String,
    /// The same with the names of HTTP/2.
    pub module_h2: String,
    /// Members of `h` before and after Referer.
    pub logformat: [String; 2],
    /// As JSON.
    pub user_agent: String,
    /// Bytes of all these headers.
    pub bytes: u32,
    /// Whether the client sends a Referer at all.
    pub refers: bool,
}

impl<'a> Group<'a> {
    /// Resolves a population; the scenario was checked, so names that are not found give an empty group, which never visits.
    pub fn new(population: &'a Population, scenario: &'a Scenario, templates: &'a Templates) -> Option<Self> {
        let mut phases = vec![Phase::first(population, templates)?];
        let mut changes: Vec<_> = population.change.iter().collect();
        changes.sort_by_key(|change| change.at);
        let mut now = population.clone();
        for change in changes {
            if let Some(client) = &change.client {
                now.client = client.clone();
                now.weights = None;
            }
            now.headers_of = change.headers_of.clone().or(now.headers_of);
            now.replace = change.replace.clone().unwrap_or(now.replace);
            now.gap = change.gap.unwrap_or(now.gap);
            now.requests = change.requests.clone().unwrap_or(now.requests);
            phases.push(Phase { from_ns: change.at.0, ..Phase::first(&now, templates)? });
        }
        let named = |host: &str| scenario.site.iter().position(|site| site.host == host);
        let mut sites: Vec<usize> = population.hosts.iter().filter_map(|host| named(host.get_ref())).collect();
        if sites.is_empty() {
            sites = (0..scenario.site.len()).collect();
        }
        let first = templates.client(population.client.get_ref().first()?.get_ref())?;
        let kind = population.kind.as_deref().unwrap_or(&first.kind);
        let class = population.class.as_ref().map_or(first.class.as_str(), |class| class.get_ref());
        Some(Self { population, phases, sites, kind, class })
    }

    /// What holds at `at_ns` after the start.
    #[must_use]
    pub fn phase(&self, at_ns: i64) -> Option<(usize, &Phase<'a>)> {
        self.phases
            .iter()
            .enumerate()
            .rev()
            .find(|(_, phase)| phase.from_ns <= at_ns)
            .or_else(|| self.phases.iter().enumerate().next())
    }

    /// Address of a member.
    #[must_use]
    pub fn address(&self, member: u64) -> IpAddr {
        let place = member / self.population.members_per_address.max(1);
        let networks = &self.population.addresses;
        let count = networks.len().max(1) as u64;
        let network = usize::try_from(place % count).ok().and_then(|index| networks.get(index));
        network.map_or(IpAddr::from([192, 0, 2, 1]), |network| nth(network, place / count))
    }

    /// Visits an hour begin at this hour of the day, relative to the mean of the day.
    #[must_use]
    pub fn hour_weight(&self, hour: usize) -> f64 {
        /// Sums to 24.
        const PEOPLE: [f64; 24] = [
            0.5, 0.3, 0.2, 0.2, 0.2, 0.3, 0.5, 0.8, 1.0, 1.1, 1.2, 1.2, 1.3, 1.2, 1.1, 1.2, 1.2, 1.3, 1.5, 1.8, 1.9, 1.8, 1.3,
            0.9,
        ];
        match self.population.hours {
            Hours::Flat => 1.0,
            Hours::People => PEOPLE.get(hour).copied().unwrap_or(1.0),
            Hours::Night if hour < 6 => 4.0,
            Hours::Night => 0.0,
        }
    }
}

impl<'a> Phase<'a> {
    fn first(population: &Population, templates: &'a Templates) -> Option<Self> {
        let names = population.client.get_ref();
        let weights = population.weights.as_ref().map_or_else(|| vec![1.0; names.len()], |weights| weights.get_ref().clone());
        let outfits = names.iter().map(|name| Outfit::new(name.get_ref(), population, templates)).collect::<Option<Vec<_>>>()?;
        Some(Self { from_ns: 0, outfits, weights, gap_ns: population.gap.0, requests: *population.requests.get_ref() })
    }
}

impl<'a> Outfit<'a> {
    fn new(name: &str, population: &Population, templates: &'a Templates) -> Option<Self> {
        let client = templates.client(name)?;
        let named = |other: &Option<toml::Spanned<String>>| match other {
            Some(other) => templates.client(other.get_ref()),
            None => Some(client),
        };
        let dressed = named(&population.headers_of)?;
        let h2 = named(&population.h2_of)?.h2.clone();
        let dress = Purpose::ALL.iter().map(|purpose| Dress::new(dressed, *purpose, &population.replace)).collect();
        Some(Self { client, shares: client.handshake.iter().map(|handshake| handshake.share).collect(), dress, h2 })
    }

    /// One of the client's handshakes.
    pub fn handshake(&self, random: &mut Stream) -> Option<&'a Handshake> {
        self.client.handshake.get(random.weighted(&self.shares))
    }
}

impl Dress {
    fn new(client: &Client, purpose: Purpose, replace: &[[String; 2]]) -> Self {
        let Some(found) = client.headers_for(purpose.name()) else {
            return Self { old_version: "HTTP/1.1", method: "GET".to_owned(), logformat: logformat(&[]), ..Self::default() };
        };
        let value = |value: &str| replace.iter().fold(value.to_owned(), |value, [old, new]| value.replace(old.as_str(), new));
        let list: Vec<(&str, String)> = found.list.iter().map(|(name, text)| (name.as_str(), value(text))).collect();
        let module = |name: &dyn Fn(&str) -> String| {
            let pairs: Vec<String> =
                list.iter().map(|(key, text)| format!("[{},{}]", json_text(&name(key)), json_text(text))).collect();
            pairs.join(",")
        };
        let user_agent =
            list.iter().find(|(name, _)| name.eq_ignore_ascii_case("user-agent")).map_or("-", |(_, text)| text.as_str());
        Self {
            speaks_h2: found.http_version == "HTTP/2.0",
            old_version: if found.http_version == "HTTP/1.0" { "HTTP/1.0" } else { "HTTP/1.1" },
            method: found.method.clone(),
            module_h1: module(&str::to_owned),
            module_h2: module(&str::to_ascii_lowercase),
            logformat: logformat(&list),
            user_agent: json_text(user_agent),
            bytes: list.iter().map(|(name, text)| u32::try_from(name.len() + text.len() + 4).unwrap_or(0)).sum(),
            // Browsers and what copies their headers send it; libraries do not.
            refers: list.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("sec-fetch")) || client.kind == "browser",
        }
    }
}

fn logformat(list: &[(&str, String)]) -> [String; 2] {
    let member = |name: &&str| {
        let text = list.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("-", |(_, text)| text.as_str());
        format!("{}:{}", json_text(name), json_text(text))
    };
    let (before, after) = LOGFORMAT_NAMES.split_at_checked(4).unwrap_or((LOGFORMAT_NAMES, &[]));
    [before, after.get(1..).unwrap_or(&[])].map(|names| names.iter().map(member).collect::<Vec<_>>().join(","))
}

/// The n-th address of a network that is given out: not the first; an IPv6 network gives each its own /64 where it has room.
fn nth(network: &Subnet, n: u64) -> IpAddr {
    match network.base {
        IpAddr::V4(base) => {
            let host_bits = 32_u32.saturating_sub(u32::from(network.bits));
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            let n = u32::try_from(n.saturating_add(1)).unwrap_or(u32::MAX) & !mask;
            IpAddr::from(((u32::from(base) & mask) | n).to_be_bytes())
        }
        IpAddr::V6(base) => {
            let host_bits = 128_u32.saturating_sub(u32::from(network.bits));
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            let n = u128::from(n.saturating_add(1));
            let n = if host_bits > 72 { n << 64 | 0x1111 } else { n };
            IpAddr::from(((u128::from(base) & mask) | (n & !mask)).to_be_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_a_network_has_its_own_address() {
        for (base, bits) in [("10.80.0.0", 16), ("fd77:80::", 48), ("fd77:80::", 112)] {
            let network = Subnet { base: base.parse().unwrap(), bits };
            let addresses: std::collections::BTreeSet<IpAddr> = (0..5000).map(|n| nth(&network, n)).collect();
            assert_eq!(addresses.len(), 5000);
            assert!(!addresses.contains(&network.base));
        }
    }
}
