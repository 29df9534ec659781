//! Fleets: one client software behind many addresses and networks.
//!
//! A client software is a JA4 without its extensions (they vary with resumption) and a User-Agent; what one campaign does with it is a fleet of its
//! own, and a campaign that rotates through many identities is one fleet; who shows neither JA4 nor User-Agent shows no software, and what shows
//! nothing has nothing in common. The graph has these on one side and networks (autonomous systems, or /24 and /48 where none is
//! known) on the other; an edge weighs the addresses seen with both, less for what is seen everywhere. Its communities are where software and networks go together
//! more than chance would have it; a community is a fleet if its software comes from at least three addresses and its score
//! reaches [`LEAST_SCORE`]. Promises: communities, identities and scores depend on what is stored alone; a fleet keeps its identity as long as
//! its software and campaign do; fleets unseen for seven days before the newest session are removed.
//!
//! Read next: `score.rs` (what makes a fleet suspicious), `ja4_models::graph` (communities).

mod score;

use std::collections::{BTreeMap, BTreeSet};

use duckdb::arrow::array::RecordBatch;
use ja4_models::graph::{Graph, communities};
use ja4_replay::store::{Statement, Store, TableName};
use serde::Serialize;

use self::score::{Fleet, Presence};
use crate::campaigns::{Software, network_of, software};
use crate::error::LabError;
use crate::rows::{Columns, Rows, short_id};

macro_rules! sql {
    ($name:literal) => {
        Statement::shared(include_str!(concat!("../../../sql/shared/queries/", $name, ".sql")))
    };
}

const SESSIONS: Statement = sql!("fleet_sessions");
const CAMPAIGN_OF: Statement = sql!("fleet_campaigns");
const KNOWN: Statement = sql!("fleets_known");
const LIST: Statement = sql!("fleets_list");
const NEWEST: Statement = sql!("drift_windows");
const FLEET_DETECTIONS: TableName = TableName { schema: "ja4_processing", table: "fleet_detections" };

/// Addresses a fleet has at least.
const LEAST_ADDRESSES: usize = 3;
/// Softwares a campaign shows when it counts as rotating.
const ROTATING: usize = 4;
/// Score a fleet has at least, 0 to 1.
const LEAST_SCORE: f64 = 0.3;
/// How long a fleet is kept after it was last seen, ns (7 days).
const KEPT_NS: i64 = 7 * 86_400 * 1_000_000_000;

const MS_NS: i64 = 1_000_000;
const HOUR_MS: i64 = 3_600_000;

/// What an update found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FleetReport {
    /// Client softwares looked at.
    pub software: usize,
    /// Fleets found.
    pub fleets: usize,
}

/// Looks for fleets among the scored sessions of the hours from `from_ms` to `to_ms` (end excluded) and brings the table up to date.
///
/// # Errors
/// The engine's refusal.
pub fn update(store: &dyn Store, from_ms: i64, to_ms: i64, scored_run: &str) -> Result<FleetReport, LabError> {
    let presences = presences(store, from_ms, to_ms)?;
    let software: BTreeSet<&Software> =
        presences.iter().map(|presence| &presence.software).filter(|shown| shows(shown)).collect();
    let mut report = FleetReport { software: software.len(), fleets: 0 };
    let newest = presences.iter().map(|presence| presence.last_ns).max();
    let Some(newest) = newest else { return Ok(report) };
    let known = known(store)?;
    let mut fleets: Vec<Fleet> = among(store, presences)?.into_iter().map(|(fleet, _)| fleet).collect();
    for fleet in &mut fleets {
        if let Some((first, _)) = known.get(&fleet.id) {
            fleet.first_ns = fleet.first_ns.min(*first);
        }
    }
    let mut ids: BTreeSet<String> = fleets.iter().map(|fleet| fleet.id.clone()).collect();
    report.fleets = fleets.len();
    // What was looked at anew and is no fleet any more goes, and so does what was not seen for a week.
    let looked_at = from_ms.saturating_mul(MS_NS)..to_ms.saturating_add(HOUR_MS).saturating_mul(MS_NS);
    let gone = |last: i64| looked_at.contains(&last) || newest.saturating_sub(last) > KEPT_NS;
    let old = known.iter().filter(|(_, (_, last))| gone(*last)).map(|(id, _)| id.clone());
    ids.extend(old);
    let keys: Vec<&str> = ids.iter().map(String::as_str).collect();
    store.replace(FLEET_DETECTIONS, "fleet_id", &keys, Some(batch(&fleets, scored_run)?))?;
    Ok(report)
}

/// Fleets, worst first.
///
/// # Errors
/// The engine's refusal.
pub fn list(store: &dyn Store) -> Result<Vec<RecordBatch>, LabError> {
    Ok(store.ask(&LIST, &[])?)
}

/// Who belongs to a fleet: one row for each address and what it showed as, in the week before the newest scored hour.
///
/// # Errors
/// There is no such fleet, or the engine's refusal.
pub fn show(store: &dyn Store, id: &str) -> Result<RecordBatch, LabError> {
    let newest = Rows::ask(store, &NEWEST, &[])?.int("last_ms")?.first().copied().unwrap_or(-1);
    let from_ms = newest.saturating_sub(KEPT_NS / MS_NS);
    let found = among(store, presences(store, from_ms, newest.saturating_add(1))?)?;
    let Some((_, members)) = found.into_iter().find(|(fleet, _)| fleet.id == id) else {
        let shown = crate::render::visible(id);
        return Err(LabError::Ask(format!(
            "fleets: there is no fleet {shown:?} in the week before the newest scored hour; `ja4-lab fleets` lists them"
        )));
    };
    Columns::new()
        .text("src_ip", members.iter().map(|member| &member.src_ip))
        .text("network", members.iter().map(|member| &member.network))
        .text("country", members.iter().map(|member| &member.country))
        .text("ja4", members.iter().map(|member| &member.ja4))
        .text("user_agent", members.iter().map(|member| &member.user_agent))
        .int("sessions", members.iter().map(|member| member.sessions))
        .int("anomalies", members.iter().map(|member| member.anomalies))
        .int("hits", members.iter().map(|member| member.hits))
        .int("first_ns", members.iter().map(|member| member.first_ns))
        .int("last_ns", members.iter().map(|member| member.last_ns))
        .batch()
}

/// Fleets among presences, worst first, each with its members.
fn among(store: &dyn Store, mut presences: Vec<Presence>) -> Result<Vec<(Fleet, Vec<Presence>)>, LabError> {
    let campaigns = campaigns(store)?;
    name_actors(&mut presences, &campaigns);
    presences.retain(|presence| !presence.actor.is_empty());
    let mut fleets = Vec::new();
    for members in grouped(&presences)?.into_values() {
        let fleet = Fleet::of(&members, &campaigns).filter(|fleet| fleet.ips >= LEAST_ADDRESSES && fleet.score >= LEAST_SCORE);
        if let Some(mut fleet) = fleet {
            fleet.id = format!("f{}", short_id([&fleet.actor]).get(..10).unwrap_or_default());
            fleets.push((fleet, members.into_iter().cloned().collect()));
        }
    }
    fleets.sort_by(|(a, _): &(Fleet, Vec<Presence>), (b, _)| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    Ok(fleets)
}

fn presences(store: &dyn Store, from_ms: i64, to_ms: i64) -> Result<Vec<Presence>, LabError> {
    let rows = Rows::ask(store, &SESSIONS, &[&from_ms.to_string(), &to_ms.to_string()])?;
    let (ja4s, agents, ips) = (rows.text("ja4")?, rows.text("user_agent")?, rows.text("src_ip")?);
    let (asns, names, countries, hosts) = (rows.int("asn")?, rows.text("as_name")?, rows.text("country")?, rows.text("host")?);
    let (sessions, hits) = (rows.count("sessions")?, rows.count("hits")?);
    let (anomalies, host_counts) = (rows.count("anomalies")?, rows.count("hosts")?);
    let (scores, least, shares) = (rows.float("score")?, rows.float("score_least")?, rows.float("population_share")?);
    let (firsts, lasts) = (rows.int("first_ns")?, rows.int("last_ns")?);
    let text = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let int = |column: &[i64], row: usize| column.get(row).copied().unwrap_or_default();
    let float = |column: &[f64], row: usize| column.get(row).copied().unwrap_or_default();
    let one = |row: usize| {
        let (ja4, user_agent, src_ip, asn) = (text(&ja4s, row), text(&agents, row), text(&ips, row), int(&asns, row));
        Presence {
            actor: String::new(),
            software: software(&ja4, &user_agent),
            network: if asn > 0 { format!("AS{asn}") } else { network_of(&src_ip) },
            ja4,
            user_agent,
            src_ip,
            asn,
            as_name: text(&names, row),
            country: text(&countries, row),
            host: text(&hosts, row),
            hosts: int(&host_counts, row),
            sessions: int(&sessions, row),
            hits: int(&hits, row),
            anomalies: int(&anomalies, row),
            score: (float(&least, row), float(&scores, row)),
            population_share: float(&shares, row),
            first_ns: int(&firsts, row),
            last_ns: int(&lasts, row),
        }
    };
    Ok((0..rows.len()).map(one).collect())
}

/// Whether a software is one: something of it was seen.
fn shows((tls, agent): &Software) -> bool {
    !(tls.is_empty() && agent.is_empty())
}

/// Says who is behind each presence: a campaign that rotates, a campaign with its software, or the software alone; nobody where nothing is shown.
fn name_actors(presences: &mut [Presence], campaigns: &BTreeMap<(String, String), String>) {
    let of = |presence: &Presence| {
        // A session that nobody finds odd belongs to no campaign, even if another of its address and JA4 does.
        let known = campaigns.get(&(presence.src_ip.clone(), presence.ja4.clone())).filter(|_| presence.anomalies > 0);
        known.cloned().unwrap_or_default()
    };
    let mut shown: BTreeMap<String, BTreeSet<Software>> = BTreeMap::new();
    for presence in presences.iter() {
        shown.entry(of(presence)).or_default().insert(presence.software.clone());
    }
    for presence in presences {
        let campaign = of(presence);
        let rotates = !campaign.is_empty() && shown.get(&campaign).is_some_and(|shown| shown.len() >= ROTATING);
        presence.actor = match (rotates, &presence.software) {
            (true, _) => campaign,
            (false, software) if !shows(software) => String::new(),
            (false, (tls, agent)) => format!("{campaign}\n{tls}\n{agent}"),
        };
    }
}

/// Presences by community and, within it, by the actor behind it.
fn grouped(presences: &[Presence]) -> Result<BTreeMap<(u32, String), Vec<&Presence>>, LabError> {
    let mut nodes: BTreeMap<(u8, &str), u32> = BTreeMap::new();
    for presence in presences {
        for key in [(0, presence.actor.as_str()), (1, presence.network.as_str())] {
            let next = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            nodes.entry(key).or_insert(next);
        }
    }
    let node = |key: (u8, &str)| nodes.get(&key).copied().unwrap_or_default();
    let mut popularity: BTreeMap<&Software, BTreeSet<&str>> = BTreeMap::new();
    for presence in presences {
        popularity.entry(&presence.software).or_default().insert(&presence.network);
    }
    let weight = |presence: &Presence| {
        let networks = popularity.get(&presence.software).map_or(1, BTreeSet::len);
        #[allow(clippy::cast_precision_loss, reason = "a count of networks")]
        let weight = 1.0 / (1.0 + (networks as f64).ln());
        weight
    };
    let edges: Vec<(u32, u32, f64)> =
        presences.iter().map(|presence| (node((0, &presence.actor)), node((1, &presence.network)), weight(presence))).collect();
    let found = communities(&Graph::new(nodes.len(), &edges)?, 1.0);
    let mut grouped: BTreeMap<(u32, String), Vec<&Presence>> = BTreeMap::new();
    for presence in presences {
        // An address belongs where its actor does: the networks of a community may carry others as well.
        let community = usize::try_from(node((0, &presence.actor))).ok().and_then(|at| found.get(at)).copied();
        grouped.entry((community.unwrap_or_default(), presence.actor.clone())).or_default().push(presence);
    }
    Ok(grouped)
}

/// Campaign of most sessions of each (address, JA4).
fn campaigns(store: &dyn Store) -> Result<BTreeMap<(String, String), String>, LabError> {
    let rows = Rows::ask(store, &CAMPAIGN_OF, &[])?;
    let (ips, ja4s, ids, counts) = (rows.text("src_ip")?, rows.text("ja4")?, rows.text("campaign_id")?, rows.count("sessions")?);
    let mut most: BTreeMap<(String, String), (i64, String)> = BTreeMap::new();
    for ((ip, ja4), (id, count)) in ips.into_iter().zip(ja4s).zip(ids.into_iter().zip(counts)) {
        let slot = most.entry((ip, ja4)).or_insert((0, String::new()));
        if count > slot.0 {
            *slot = (count, id);
        }
    }
    Ok(most.into_iter().map(|(key, (_, id))| (key, id)).collect())
}

/// First and last sight of the fleets kept.
fn known(store: &dyn Store) -> Result<BTreeMap<String, (i64, i64)>, LabError> {
    let rows = Rows::ask(store, &KNOWN, &[])?;
    let (ids, firsts, lasts) = (rows.text("fleet_id")?, rows.int("first_ns")?, rows.int("last_ns")?);
    Ok(ids.into_iter().zip(firsts.into_iter().zip(lasts)).collect())
}

fn batch(fleets: &[Fleet], scored_run: &str) -> Result<RecordBatch, LabError> {
    let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Columns::new()
        .text("fleet_id", fleets.iter().map(|fleet| &fleet.id))
        .int("first_ns", fleets.iter().map(|fleet| fleet.first_ns))
        .int("last_ns", fleets.iter().map(|fleet| fleet.last_ns))
        .text("ja4", fleets.iter().map(|fleet| &fleet.ja4))
        .text("header_order", fleets.iter().map(|_| ""))
        .text("user_agent", fleets.iter().map(|fleet| &fleet.user_agent))
        .int("ips", fleets.iter().map(|fleet| size(fleet.ips)))
        .int("networks", fleets.iter().map(|fleet| size(fleet.networks)))
        .int("asns", fleets.iter().map(|fleet| size(fleet.asns)))
        .int("countries", fleets.iter().map(|fleet| size(fleet.countries)))
        .int("hosts", fleets.iter().map(|fleet| fleet.hosts))
        .int("sessions", fleets.iter().map(|fleet| fleet.sessions))
        .int("hits", fleets.iter().map(|fleet| fleet.hits))
        .float("score", fleets.iter().map(|fleet| fleet.score))
        .text("severity", fleets.iter().map(Fleet::severity))
        .text("reason", fleets.iter().map(Fleet::reason))
        .text("traits", fleets.iter().map(Fleet::traits))
        .text("scored_run", fleets.iter().map(|_| scored_run))
        .batch()
}

#[cfg(test)]
mod tests {
    use super::score::tests::presence;
    use super::*;

    #[test]
    fn who_shows_nothing_is_grouped_with_nobody_unless_a_rotating_campaign_says_who_it_is() {
        let shown = |number: usize, agent: &str, ja4: &str| {
            let one = presence(number, 2, agent);
            Presence { software: software(ja4, agent), ja4: ja4.to_owned(), ..one }
        };
        let mut presences: Vec<Presence> = (0..5).map(|number| shown(number, "", "")).collect();
        presences.push(shown(9, "", "t13d1516h2_8daaf6152771_02713d6af862"));
        presences.extend((20..20 + ROTATING).map(|number| shown(number, &format!("browser {number}"), "")));
        presences.push(shown(30, "", ""));
        let of = |one: &Presence| ((one.src_ip.clone(), one.ja4.clone()), "c1".to_owned());
        let rotating: BTreeMap<(String, String), String> = presences.iter().skip(6).map(of).collect();
        name_actors(&mut presences, &rotating);
        let actors: Vec<&str> = presences.iter().map(|one| one.actor.as_str()).collect();
        assert_eq!(actors[..5], [""; 5], "nothing shown is nothing in common");
        assert!(actors[5].contains("t13d"), "a JA4 alone is something");
        assert!(actors[6..].iter().all(|actor| *actor == "c1"), "{actors:?}");
    }
}
