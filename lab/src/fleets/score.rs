//! How suspicious one client software behind many addresses is, and why.
//!
//! Five signs, each 0 to 1, put together as independent chances (1 − Π(1 − weight · sign)) and scaled by how many addresses there are: its
//! sessions are anomalous; few who claim the same look like it; it claims no browser; its addresses do the same (scores lie together);
//! it belongs to one campaign. Promises: a browser that many people use has none of the signs and is no fleet, however many addresses it has.
//!
//! Read next: `mod.rs`.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::CampaignOf;
use crate::campaigns::Software;

/// One client software at one address.
#[derive(Debug, Clone)]
pub(super) struct Presence {
    /// Who is behind it; named once campaigns are known.
    pub actor: Arc<str>,
    pub software: Arc<Software>,
    pub network: Arc<str>,
    pub ja4: String,
    pub user_agent: String,
    pub src_ip: String,
    pub asn: i64,
    pub as_name: String,
    pub country: String,
    pub host: String,
    pub hosts: i64,
    pub sessions: i64,
    pub hits: i64,
    pub anomalies: i64,
    /// Least and largest score.
    pub score: (f64, f64),
    pub population_share: f64,
    pub first_ns: i64,
    pub last_ns: i64,
}

/// A fleet.
#[derive(Debug, Clone, Default)]
pub(super) struct Fleet {
    pub id: String,
    pub actor: Arc<str>,
    pub softwares: usize,
    /// JA4 and User-Agent of most of its addresses.
    pub ja4: String,
    pub user_agent: String,
    pub ips: usize,
    pub networks: usize,
    pub asns: usize,
    pub countries: usize,
    pub hosts: i64,
    pub sessions: i64,
    pub hits: i64,
    pub first_ns: i64,
    pub last_ns: i64,
    pub score: f64,
    anomalous_share: f64,
    rarity: f64,
    sameness: f64,
    largest_network: String,
    /// The campaign of at least half of its addresses.
    campaign: Option<String>,
}

impl Fleet {
    pub(super) fn of(members: &[&Presence], campaigns: &CampaignOf) -> Option<Self> {
        let first = members.first()?;
        let distinct =
            |of: fn(&Presence) -> &str| members.iter().map(|m| of(m)).filter(|v| !v.is_empty()).collect::<HashSet<_>>().len();
        let sum = |of: fn(&Presence) -> i64| members.iter().map(|m| of(m)).fold(0, i64::saturating_add);
        let sessions = sum(|m| m.sessions);
        let shown = most_shown(members);
        let mut fleet = Self {
            actor: Arc::clone(&first.actor),
            softwares: members.iter().map(|m| &m.software).collect::<HashSet<_>>().len(),
            ja4: shown.0.to_owned(),
            user_agent: shown.1.to_owned(),
            ips: distinct(|m| &m.src_ip),
            networks: distinct(|m| &m.network),
            asns: members.iter().filter(|m| m.asn > 0).map(|m| m.asn).collect::<HashSet<_>>().len(),
            countries: distinct(|m| &m.country),
            hosts: members.iter().map(|m| m.hosts).max().unwrap_or(1).max(i64::try_from(distinct(|m| &m.host)).unwrap_or(1)),
            sessions,
            hits: sum(|m| m.hits),
            first_ns: members.iter().map(|m| m.first_ns).min().unwrap_or_default(),
            last_ns: members.iter().map(|m| m.last_ns).max().unwrap_or_default(),
            anomalous_share: share(sum(|m| m.anomalies), sessions),
            rarity: 1.0 - members.iter().map(|m| m.population_share).fold(1.0, f64::min),
            sameness: sameness(members),
            campaign: campaign(members, campaigns),
            largest_network: largest_network(members),
            ..Self::default()
        };
        fleet.score = fleet.weighed();
        Some(fleet)
    }

    fn weighed(&self) -> f64 {
        let flag = |set: bool| if set { 1.0 } else { 0.0 };
        // Sameness and rarity say something only of sessions that are odd in themselves.
        let odd = self.anomalous_share;
        let signs = [
            (0.7, odd),
            (0.4, odd * self.rarity),
            (0.3, flag(!self.user_agent.starts_with("Mozilla/"))),
            (0.4, odd * self.sameness),
            (0.3, flag(self.campaign.is_some())),
        ];
        let chance = 1.0 - signs.iter().map(|(weight, sign)| 1.0 - weight * sign).product::<f64>();
        #[allow(clippy::cast_precision_loss, reason = "a count of addresses")]
        let size = 1.0 - (-(self.ips as f64) / 3.0).exp();
        chance * size
    }

    pub(super) fn severity(&self) -> &'static str {
        match self.score {
            score if score >= 0.85 => "critical",
            score if score >= 0.7 => "high",
            score if score >= 0.5 => "medium",
            _ => "low",
        }
    }

    pub(super) fn reason(&self) -> String {
        let what = match self.softwares {
            0 | 1 => "one client software".to_owned(),
            many => format!("one program that shows as {many} softwares"),
        };
        let mut text = format!("{what} behind {} addresses in {} networks", self.ips, self.networks);
        if !self.largest_network.is_empty() {
            let _ = write!(text, " (most in {})", self.largest_network);
        }
        let _ = write!(text, "; {:.0} % of its sessions are anomalous", self.anomalous_share * 100.0);
        if self.rarity > 0.5 {
            let _ = write!(text, "; {:.1} % of those who claim the same look like it", (1.0 - self.rarity) * 100.0);
        }
        if self.sameness > 0.7 {
            text.push_str("; its addresses behave alike");
        }
        if let Some(campaign) = &self.campaign {
            let _ = write!(text, "; belongs to campaign {campaign}");
        }
        text
    }

    pub(super) fn traits(&self) -> String {
        serde_json::json!({
            "fleet_score": self.score,
            "fleet_campaign_flag": i64::from(self.campaign.is_some()),
            "campaign_id": self.campaign.as_deref().unwrap_or(""),
            "anomalous_share": self.anomalous_share,
            "rarity": self.rarity,
            "sameness": self.sameness,
            "largest_network": self.largest_network,
        })
        .to_string()
    }
}

/// 1 where every address has the same mean score, 0 where they spread over half the scale.
fn sameness(members: &[&Presence]) -> f64 {
    let means: Vec<f64> = members.iter().map(|m| (m.score.0 + m.score.1) / 2.0).collect();
    #[allow(clippy::cast_precision_loss, reason = "a count of addresses")]
    let count = means.len().max(1) as f64;
    let mean = means.iter().sum::<f64>() / count;
    let deviation = (means.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    (1.0 - deviation / 0.25).clamp(0.0, 1.0)
}

fn campaign(members: &[&Presence], campaigns: &CampaignOf) -> Option<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for member in members {
        if let Some(id) = campaigns.of(member) {
            *counts.entry(id).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(a.0)))?;
    (2 * most.1 >= members.len()).then(|| most.0.to_owned())
}

/// JA4 and User-Agent of most presences.
fn most_shown<'a>(members: &[&'a Presence]) -> (&'a str, &'a str) {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    members.iter().for_each(|m| *counts.entry((&m.ja4, &m.user_agent)).or_default() += 1);
    counts.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0))).map(|(shown, _)| shown).unwrap_or_default()
}

fn largest_network(members: &[&Presence]) -> String {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    members.iter().for_each(|m| *counts.entry((&m.network, &m.as_name)).or_default() += 1);
    let most = counts.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
    most.map(|((network, name), _)| if name.is_empty() { network.to_owned() } else { format!("{network} {name}") })
        .unwrap_or_default()
}

#[allow(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: i64, whole: i64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn presence(address: usize, anomalies: i64, agent: &str) -> Presence {
        Presence {
            actor: agent.into(),
            software: Arc::new(("t13d".to_owned(), agent.to_owned())),
            network: format!("AS{}", 64_500 + address % 3).into(),
            ja4: "t13d".to_owned(),
            user_agent: agent.to_owned(),
            src_ip: format!("192.0.2.{address}"),
            asn: 64_500 + i64::try_from(address % 3).unwrap(),
            as_name: String::new(),
            country: "de".to_owned(),
            host: "shop".to_owned(),
            hosts: 1,
            sessions: 2,
            hits: 40,
            anomalies,
            score: (0.6, 0.62),
            population_share: 0.9,
            first_ns: 1,
            last_ns: 2,
        }
    }

    #[test]
    fn a_browser_of_many_people_is_no_fleet_and_a_tool_on_many_addresses_is() {
        let people: Vec<Presence> = (0..40).map(|n| presence(n, 0, "Mozilla/5.0 Chrome")).collect();
        let tool: Vec<Presence> = (0..8).map(|n| presence(n, 2, "python-requests/2")).collect();
        let of = |all: &[Presence]| Fleet::of(&all.iter().collect::<Vec<_>>(), &CampaignOf::default()).unwrap();
        assert!(of(&people).score < super::super::LEAST_SCORE);
        let fleet = of(&tool);
        assert!(fleet.score > 0.7 && fleet.ips == 8 && fleet.networks == 3, "{fleet:?}");
        assert!(fleet.reason().contains("100 % of its sessions are anomalous"));
    }
}
