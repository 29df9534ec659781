//! From anomalous sessions to groups: who rotates identities, what lies together, and whose parts belong to one actor.
//!
//! 1. An address that shows [`IDENTITIES`] browsers or more, one session running into the next, is one program that rotates its identity; such
//!    addresses belong together if they share [`SHARED`] identities.
//! 2. All others are grouped by density (`dense.rs`, over the places of `features.rs`), and a dense group is divided by software: two tools that do the same are two.
//! 3. The same software at the same address is the same actor, whatever it did on another host or in another hour: its groups are one.
//!
//! Promises: rules 1 and 3 look at identity alone, never at how much was asked; a group has at least as many sessions as density asks
//! for; the order of groups is that of their first sessions.
//!
//! Read next: `dense.rs`, `features.rs` (places), `identity.rs` (groups over cycles), docs/SCIENCE.md, section "Campaigns and fleets" (how well this works).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::dense::{Dense, least};
use super::features::Places;
use super::{Anomalous, Session};
use crate::error::LabError;
use crate::frame::FeatureFrame;

/// Browsers that one address shows in a row before it counts as rotating.
const IDENTITIES: usize = 4;
/// Identities that two rotating addresses share when one program is behind both.
const SHARED: usize = 3;
/// The longest pause between two sessions in a row, ns.
const PAUSE_NS: i64 = 30_000_000_000;
/// Membership of a session that belongs by its identity and not by where it lies.
pub(super) const BY_IDENTITY: f64 = 0.5;

/// A client software: JA4 without its extensions, and User-Agent. A browser that resumes a session sends one extension more.
pub(crate) type Software = (String, String);

/// The software behind a JA4 and a User-Agent.
pub(crate) fn software(ja4: &str, user_agent: &str) -> Software {
    (without_extensions(ja4).unwrap_or_else(|| ja4.to_owned()), user_agent.to_owned())
}

/// Softwares by number, so that they are compared by number: the names of browsers differ in their last letters, if at all.
pub(super) struct Softwares {
    /// By number, in the order of their first sessions.
    pub known: Vec<Software>,
    /// The number of each session's.
    pub of: Vec<usize>,
}

impl Softwares {
    pub(super) fn of(sessions: &[Session]) -> Self {
        let mut known: Vec<Software> = Vec::new();
        let mut numbers: HashMap<Software, usize> = HashMap::new();
        // Few pairs of JA4 and User-Agent stand for many sessions.
        let mut shown: HashMap<(&str, &str), usize> = HashMap::new();
        let of = sessions.iter().map(|session| {
            *shown.entry((&session.ja4, &session.user_agent)).or_insert_with(|| {
                let software = software(&session.ja4, &session.user_agent);
                *numbers.entry(software).or_insert_with_key(|software| {
                    known.push(software.clone());
                    known.len() - 1
                })
            })
        });
        let of = of.collect();
        Self { known, of }
    }
}

/// `t13d1516h2_8daaf6152771_02713d6af862` → `t13d15h2_8daaf6152771`.
fn without_extensions(ja4: &str) -> Option<String> {
    let mut parts = ja4.split('_');
    let (first, ciphers) = (parts.next()?, parts.next()?);
    Some(format!("{}{}_{ciphers}", first.get(..6)?, first.get(8..)?))
}

/// Sessions by group, with how firmly each belongs. At most `most` of them are clustered.
pub(super) fn group(frame: &FeatureFrame, anomalous: &Anomalous, most: usize) -> Result<Vec<Vec<Session>>, LabError> {
    let sessions = &anomalous.sessions;
    if sessions.len() < 2 {
        return Ok(Vec::new());
    }
    let softwares = Softwares::of(sessions);
    let places = Places::new(frame, &anomalous.rows, &softwares)?;
    let dense = Dense::find(&|rows| places.at(rows), sessions, &softwares.of, most)?;
    let least = least(sessions.len());
    let of_row = |row: usize| {
        let session = sessions.get(row).cloned().unwrap_or_default();
        Session { membership: dense.membership(row).unwrap_or(BY_IDENTITY), fresh: true, ..session }
    };
    let groups = linked(sessions, &softwares.of, |row| dense.label(row)).into_iter().filter(|rows| rows.len() >= least);
    Ok(groups.map(|rows| rows.into_iter().map(of_row).collect()).collect())
}

/// Rows by group, in the order of their first rows; `dense` is the dense group of a row.
fn linked(sessions: &[Session], softwares: &[usize], dense: impl Fn(usize) -> Option<u32>) -> Vec<Vec<usize>> {
    let mut sets = Sets((0..sessions.len()).collect());
    let chains = rotations(sessions, softwares);
    let mut rotating = BTreeSet::new();
    // First rows of the chains that show an identity.
    let mut shown: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for chain in &chains {
        let Some(first) = chain.first().copied() else { continue };
        let identities: BTreeSet<usize> = chain.iter().filter_map(|row| softwares.get(*row).copied()).collect();
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for identity in identities {
            let others = shown.entry(identity).or_default();
            others.iter().for_each(|other| *shared.entry(*other).or_default() += 1);
            others.push(first);
        }
        // Joining is the same in any order: a set's root is its lowest row.
        shared.into_iter().filter(|(_, count)| *count >= SHARED).for_each(|(other, _)| sets.join(first, other));
        chain.iter().for_each(|row| sets.join(first, *row));
        rotating.extend(chain.iter().copied());
    }
    let mut parts: HashMap<(u32, usize), usize> = HashMap::new();
    let mut actors: HashMap<(&str, usize), usize> = HashMap::new();
    for ((row, session), software) in sessions.iter().enumerate().zip(softwares) {
        if rotating.contains(&row) {
            continue;
        }
        if let Some(group) = dense(row) {
            sets.join(*parts.entry((group, *software)).or_insert(row), row);
        }
        sets.join(*actors.entry((&session.src_ip, *software)).or_insert(row), row);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in 0..sessions.len() {
        groups.entry(sets.root(row)).or_default().push(row);
    }
    groups.into_values().collect()
}

/// Sessions of one address that run into each other and show many browsers, by chain.
fn rotations(sessions: &[Session], softwares: &[usize]) -> Vec<Vec<usize>> {
    let mut by_address: BTreeMap<&str, Vec<(usize, &Session)>> = BTreeMap::new();
    for (row, session) in sessions.iter().enumerate().filter(|(_, session)| session.user_agent.starts_with("Mozilla/5.0 (")) {
        by_address.entry(&session.src_ip).or_default().push((row, session));
    }
    let mut chains: Vec<Vec<usize>> = Vec::new();
    for rows in by_address.values_mut() {
        rows.sort_by_key(|(row, session)| (session.first_ns, *row));
        let mut end_ns = None;
        for (row, session) in rows {
            match chains.last_mut() {
                Some(chain) if end_ns.is_some_and(|end: i64| session.first_ns <= end.saturating_add(PAUSE_NS)) => {
                    chain.push(*row)
                }
                _ => chains.push(vec![*row]),
            }
            end_ns = end_ns.max(Some(session.last_ns));
        }
    }
    let identities = |chain: &Vec<usize>| chain.iter().filter_map(|row| softwares.get(*row)).collect::<BTreeSet<_>>().len();
    chains.retain(|chain| identities(chain) >= IDENTITIES);
    chains
}

/// Disjoint sets of rows; the lowest row of a set is its root.
struct Sets(Vec<usize>);

impl Sets {
    fn root(&mut self, mut row: usize) -> usize {
        while let Some(above) = self.0.get(row).copied().filter(|above| *above != row) {
            let further = self.0.get(above).copied().unwrap_or(above);
            if let Some(slot) = self.0.get_mut(row) {
                *slot = further;
            }
            row = above;
        }
        row
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(slot) = self.0.get_mut(a.max(b)) {
            *slot = a.min(b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(ip: &str, ja4: &str, agent: &str, first_s: i64) -> Session {
        Session {
            src_ip: ip.to_owned(),
            ja4: ja4.to_owned(),
            user_agent: agent.to_owned(),
            first_ns: first_s * 1_000_000_000,
            last_ns: (first_s + 5) * 1_000_000_000,
            ..Session::default()
        }
    }

    fn softwares(sessions: &[Session]) -> Vec<usize> {
        Softwares::of(sessions).of
    }

    #[test]
    fn resumed_connections_are_the_same_software_and_other_ciphers_are_not() {
        let of = |ja4| software(ja4, "x");
        assert_eq!(of("t13d1516h2_8daaf6152771_02713d6af862"), of("t13d1517h2_8daaf6152771_b1ff8ab2d16f"));
        assert_ne!(of("t13d1516h2_8daaf6152771_02713d6af862"), of("t13d1516h1_8daaf6152771_02713d6af862"));
        assert_eq!(of("").0, "");
        assert_eq!(of("é").0, "é");
    }

    #[test]
    fn one_actor_is_one_group_and_two_tools_that_do_the_same_are_two() {
        let sessions = [
            session("192.0.2.1", "a", "curl", 0),
            session("192.0.2.1", "a", "curl", 4000),
            session("192.0.2.2", "a", "curl", 0),
            session("192.0.2.3", "b", "wget", 0),
        ];
        // The second lies nowhere near the others; the fourth does what the first does.
        let dense = |row: usize| [Some(0), None, Some(0), Some(0)][row];
        assert_eq!(linked(&sessions, &softwares(&sessions), dense), [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn many_browsers_in_a_row_are_one_program_also_behind_its_next_address_and_an_office_is_not() {
        let browser = |n: i64| format!("Mozilla/5.0 (X{n})");
        let mut sessions: Vec<Session> = (0..4).map(|n| session("192.0.2.1", "a", &browser(n), n * 20)).collect();
        sessions.extend((0..4).map(|n| session("192.0.2.9", "a", &browser(n), 900 + n * 20)));
        // The same browsers at one address, minutes apart: people of one office.
        sessions.extend((0..4).map(|n| session("198.51.100.1", "a", &browser(n), n * 300)));
        let groups = linked(&sessions, &softwares(&sessions), |_| None);
        assert_eq!(groups[0], (0..8).collect::<Vec<_>>());
        assert_eq!(groups.len(), 5, "{groups:?}");
    }
}
