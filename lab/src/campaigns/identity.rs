//! Whether a group of today is a campaign of before: by the sessions both hold, else by what their sessions have in common.
//!
//! Promises: traits alone suffice, because a fleet changes its addresses; addresses alone do not, because an address is shared; ties go to
//! the lower id, so the order of groups decides nothing.
//!
//! Read next: `mod.rs`, `words.rs` (the traits in words).

use std::collections::{BTreeMap, BTreeSet};

use super::{Session, Software, software};

/// From this likeness on a group continues a campaign.
const ALIKE: f64 = 0.5;
/// Share of the sessions that makes a trait common.
pub(super) const COMMON: f64 = 0.8;

/// What is compared of a campaign.
pub(super) struct Known {
    id: String,
    sessions: BTreeSet<String>,
    addresses: BTreeSet<String>,
    traits: BTreeSet<(&'static str, String)>,
    /// Every software shown, and the one of most sessions, if there is one.
    softwares: BTreeSet<Software>,
    software: Option<Software>,
}

impl Known {
    pub(super) fn new<'a>(id: &str, members: impl Iterator<Item = &'a Session> + Clone) -> Self {
        Self {
            id: id.to_owned(),
            sessions: members.clone().map(|session| session.id.clone()).collect(),
            addresses: members.clone().map(|session| session.src_ip.clone()).collect(),
            traits: common(members.clone()).into_iter().map(|(name, value, _)| (name, value)).collect(),
            softwares: members.clone().map(software_of).collect(),
            software: most(members),
        }
    }

    fn likeness(&self, other: &Self) -> f64 {
        // The same hour grouped again: shared sessions say it all.
        let held = overlap(&self.sessions, &other.sessions);
        let traits = match (&self.software, &other.software) {
            (Some(own), Some(others)) if own == others => jaccard(&self.traits, &other.traits),
            // Who rotates identities is known by the identities it rotates through.
            (None, None) => jaccard(&self.softwares, &other.softwares),
            // Groups of different software are never one by traits.
            _ => 0.0,
        };
        held.max(0.75 * traits + 0.25 * overlap(&self.addresses, &other.addresses))
    }
}

fn software_of(session: &Session) -> Software {
    software(&session.ja4, &session.user_agent)
}

/// The software that is common to the sessions.
fn most<'a>(members: impl Iterator<Item = &'a Session>) -> Option<Software> {
    let mut counts: BTreeMap<Software, usize> = BTreeMap::new();
    let mut all = 0;
    for member in members {
        *counts.entry(software_of(member)).or_default() += 1;
        all += 1;
    }
    #[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
    let is_common = |times: usize| times as f64 >= COMMON * f64::from(all);
    counts.into_iter().find(|(_, times)| is_common(*times)).map(|(software, _)| software)
}

/// The known campaign that `group` continues.
pub(super) fn continued(known: &[Known], group: &[Session]) -> Option<String> {
    let group = Known::new("", group.iter());
    let mut best: Option<(f64, &str)> = None;
    for campaign in known {
        let likeness = campaign.likeness(&group);
        if likeness >= ALIKE && best.is_none_or(|(found, _)| likeness > found) {
            best = Some((likeness, &campaign.id));
        }
    }
    best.map(|(_, id)| id.to_owned())
}

/// Traits that most of the sessions share: name, value, share.
pub(super) fn common<'a>(members: impl Iterator<Item = &'a Session> + Clone) -> Vec<(&'static str, String, f64)> {
    type Trait = (&'static str, fn(&Session) -> String);
    const TRAITS: &[Trait] = &[
        ("User-Agent", |session| session.user_agent.clone()),
        ("JA4", |session| session.ja4.clone()),
        ("network", Session::network),
        ("country", |session| session.country.clone()),
        ("host", |session| session.host.clone()),
    ];
    let count = members.clone().count();
    let mut found = Vec::new();
    for (name, of) in TRAITS {
        let mut values: BTreeMap<String, usize> = BTreeMap::new();
        members.clone().for_each(|session| *values.entry(of(session)).or_default() += 1);
        let most = values.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
        #[allow(clippy::cast_precision_loss, reason = "a share for people")]
        if let Some((value, times)) = most
            && times as f64 >= COMMON * count as f64
            && !(value.is_empty() && *name == "country")
        {
            found.push((*name, value, times as f64 / count as f64));
        }
    }
    found
}

#[allow(clippy::cast_precision_loss, reason = "a share")]
fn jaccard<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> f64 {
    let both = a.intersection(b).count();
    both as f64 / (a.len() + b.len() - both).max(1) as f64
}

/// Share of the smaller set that the larger holds.
#[allow(clippy::cast_precision_loss, reason = "a share")]
fn overlap<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> f64 {
    a.intersection(b).count() as f64 / a.len().min(b.len()).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, ip: &str, agent: &str) -> Session {
        Session {
            id: id.to_owned(),
            src_ip: ip.to_owned(),
            user_agent: agent.to_owned(),
            host: "shop".to_owned(),
            ..Session::default()
        }
    }

    #[test]
    fn a_fleet_with_new_addresses_is_the_same_campaign_and_a_neighbour_is_not() {
        let before: Vec<Session> = (0..6).map(|n| session(&format!("a{n}"), &format!("192.0.2.{n}"), "curl/8")).collect();
        let other: Vec<Session> = (0..6).map(|n| session(&format!("b{n}"), &format!("192.0.2.{n}"), "wget/1")).collect();
        let known = [Known::new("c1", before.iter()), Known::new("c2", other.iter())];
        let moved: Vec<Session> = (0..5).map(|n| session(&format!("n{n}"), &format!("192.0.2.{}", n + 100), "curl/8")).collect();
        assert_eq!(continued(&known, &moved).as_deref(), Some("c1"));
        let same_addresses: Vec<Session> = (0..6).map(|n| session(&format!("x{n}"), &format!("192.0.2.{n}"), "nikto")).collect();
        assert_eq!(continued(&known, &same_addresses), None);
    }

    #[test]
    fn who_rotates_is_known_by_the_identities_and_not_by_the_host() {
        let rotating = |ids: std::ops::Range<usize>, address: &str| -> Vec<Session> {
            ids.map(|n| session(&format!("{address}-{n}"), address, &format!("Mozilla/5.0 (X{n})"))).collect()
        };
        let before = rotating(0..8, "192.0.2.1");
        let known = [Known::new("c1", before.iter())];
        assert_eq!(continued(&known, &rotating(1..8, "198.51.100.7")).as_deref(), Some("c1"));
        assert_eq!(continued(&known, &rotating(20..28, "198.51.100.7")), None);
    }
}
