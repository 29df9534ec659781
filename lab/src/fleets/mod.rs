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

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

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

/// The scored sessions of some hours, told by who showed as what: asked as soon as the scores are written.
pub(crate) struct Sight {
    presences: Vec<Presence>,
    hours: Range<i64>,
}

impl Sight {
    /// Of the hours from `hours.start` to `hours.end` (excluded), ms since 1970.
    ///
    /// # Errors
    /// The engine's refusal.
    pub(crate) fn of(store: &dyn Store, hours: Range<i64>) -> Result<Self, LabError> {
        Ok(Self { presences: presences(store, hours.start, hours.end)?, hours })
    }
}

/// Looks for fleets among what was seen, once campaigns are written, and brings the table up to date.
///
/// # Errors
/// The engine's refusal.
pub(crate) fn update(store: &dyn Store, sight: Sight, scored_run: &str) -> Result<FleetReport, LabError> {
    let Sight { presences, hours: Range { start: from_ms, end: to_ms } } = sight;
    let software: BTreeSet<&Software> =
        presences.iter().map(|presence| &*presence.software).filter(|shown| shows(shown)).collect();
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
            fleet.id = format!("f{}", short_id([&*fleet.actor]).get(..10).unwrap_or_default());
            fleets.push((fleet, members.into_iter().cloned().collect()));
        }
    }
    fleets.sort_by(|(a, _): &(Fleet, Vec<Presence>), (b, _)| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    Ok(fleets)
}

fn presences(store: &dyn Store, from_ms: i64, to_ms: i64) -> Result<Vec<Presence>, LabError> {
    let rows = Rows::ask(store, &SESSIONS, &[&from_ms.to_string(), &to_ms.to_string()])?;
    let (ja4s, agents, ips) = (rows.texts("ja4")?, rows.texts("user_agent")?, rows.texts("src_ip")?);
    let (asns, names, countries, hosts) = (rows.int("asn")?, rows.texts("as_name")?, rows.texts("country")?, rows.texts("host")?);
    let (sessions, hits) = (rows.count("sessions")?, rows.count("hits")?);
    let (anomalies, host_counts) = (rows.count("anomalies")?, rows.count("hosts")?);
    let (scores, least, shares) = (rows.float("score")?, rows.float("score_least")?, rows.float("population_share")?);
    let (firsts, lasts) = (rows.int("first_ns")?, rows.int("last_ns")?);
    let text = |column: &[&str], row: usize| column.get(row).copied().unwrap_or_default().to_owned();
    let int = |column: &[i64], row: usize| column.get(row).copied().unwrap_or_default();
    let float = |column: &[f64], row: usize| column.get(row).copied().unwrap_or_default();
    // Rows of one software follow each other; networks are few.
    let mut last: Option<(&str, &str, Arc<Software>)> = None;
    let mut networks: HashMap<String, Arc<str>> = HashMap::new();
    let mut one = |row: usize| {
        let shown = (ja4s.get(row).copied().unwrap_or_default(), agents.get(row).copied().unwrap_or_default());
        let software = match &last {
            Some((ja4, agent, software)) if (*ja4, *agent) == shown => Arc::clone(software),
            _ => Arc::new(software(shown.0, shown.1)),
        };
        last = Some((shown.0, shown.1, Arc::clone(&software)));
        let (src_ip, asn) = (text(&ips, row), int(&asns, row));
        let network = if asn > 0 { format!("AS{asn}") } else { network_of(&src_ip) };
        let network = networks.entry(network).or_insert_with_key(|network| Arc::from(network.as_str()));
        Presence {
            actor: Arc::from(""),
            software,
            network: Arc::clone(network),
            ja4: text(&ja4s, row),
            user_agent: text(&agents, row),
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
    Ok((0..rows.len()).map(&mut one).collect())
}

/// Whether a software is one: something of it was seen.
fn shows((tls, agent): &Software) -> bool {
    !(tls.is_empty() && agent.is_empty())
}

/// Says who is behind each presence: a campaign that rotates, a campaign with its software, or the software alone; nobody where nothing is shown.
fn name_actors(presences: &mut [Presence], campaigns: &CampaignOf) {
    let of = |presence: &Presence| {
        // A session that nobody finds odd belongs to no campaign, even if another of its address and JA4 does.
        campaigns.of(presence).filter(|_| presence.anomalies > 0)
    };
    let mut shown: HashMap<&str, HashSet<&Software>> = HashMap::new();
    for presence in presences.iter() {
        if let Some(campaign) = of(presence) {
            shown.entry(campaign).or_default().insert(&*presence.software);
        }
    }
    let rotating: HashSet<&str> =
        shown.into_iter().filter(|(_, softwares)| softwares.len() >= ROTATING).map(|(campaign, _)| campaign).collect();
    // Few actors are behind many presences.
    let mut actors: HashMap<(&str, Arc<Software>), Arc<str>> = HashMap::new();
    for presence in presences {
        let campaign = of(presence).unwrap_or_default();
        let named = actors.entry((campaign, Arc::clone(&presence.software))).or_insert_with_key(|(campaign, software)| {
            match (rotating.contains(campaign), &**software) {
                (true, _) => Arc::from(*campaign),
                (false, software) if !shows(software) => Arc::from(""),
                (false, (tls, agent)) => Arc::from(format!("{campaign}\n{tls}\n{agent}")),
            }
        });
        presence.actor = Arc::clone(named);
    }
}

/// Presences by community and, within it, by the number of the actor behind it.
fn grouped(presences: &[Presence]) -> Result<BTreeMap<(u32, u32), Vec<&Presence>>, LabError> {
    let mut nodes: HashMap<(u8, &str), u32> = HashMap::new();
    let mut node = |side: u8, name| {
        let next = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        *nodes.entry((side, name)).or_insert(next)
    };
    let ends: Vec<(u32, u32)> =
        presences.iter().map(|presence| (node(0, &*presence.actor), node(1, &*presence.network))).collect();
    let mut popularity: HashMap<&Software, HashSet<u32>> = HashMap::new();
    for (presence, (_, network)) in presences.iter().zip(&ends) {
        popularity.entry(&*presence.software).or_default().insert(*network);
    }
    let weight = |presence: &Presence| {
        let networks = popularity.get(&*presence.software).map_or(1, HashSet::len);
        #[allow(clippy::cast_precision_loss, reason = "a count of networks")]
        let weight = 1.0 / (1.0 + (networks as f64).ln());
        weight
    };
    let edges: Vec<(u32, u32, f64)> =
        presences.iter().zip(&ends).map(|(presence, (actor, network))| (*actor, *network, weight(presence))).collect();
    let found = communities(&Graph::new(nodes.len(), &edges)?, 1.0);
    let mut grouped: BTreeMap<(u32, u32), Vec<&Presence>> = BTreeMap::new();
    for (presence, (actor, _)) in presences.iter().zip(&ends) {
        // An address belongs where its actor does: the networks of a community may carry others as well.
        let community = usize::try_from(*actor).ok().and_then(|at| found.get(at)).copied();
        grouped.entry((community.unwrap_or_default(), *actor)).or_default().push(presence);
    }
    Ok(grouped)
}

/// The campaign of most sessions of an address with a JA4; by address, which has few.
#[derive(Debug, Default)]
struct CampaignOf(HashMap<String, Vec<(String, i64, String)>>);

impl CampaignOf {
    fn of(&self, presence: &Presence) -> Option<&str> {
        let of_address = self.0.get(&presence.src_ip)?;
        of_address.iter().find(|(ja4, ..)| *ja4 == presence.ja4).map(|(.., campaign)| campaign.as_str())
    }

    /// Of campaigns with as many sessions the first told stays.
    fn tell(&mut self, (src_ip, ja4): (&str, &str), campaign: &str, sessions: i64) {
        if !self.0.contains_key(src_ip) {
            self.0.insert(src_ip.to_owned(), Vec::new());
        }
        let Some(of_address) = self.0.get_mut(src_ip) else { return };
        match of_address.iter_mut().find(|(known, ..)| known == ja4) {
            Some((_, most, found)) if sessions > *most => (*most, *found) = (sessions, campaign.to_owned()),
            Some(_) => {}
            None => of_address.push((ja4.to_owned(), sessions, campaign.to_owned())),
        }
    }
}

fn campaigns(store: &dyn Store) -> Result<CampaignOf, LabError> {
    let rows = Rows::ask(store, &CAMPAIGN_OF, &[])?;
    let (ips, ja4s) = (rows.texts("src_ip")?, rows.texts("ja4")?);
    let (ids, counts) = (rows.texts("campaign_id")?, rows.count("sessions")?);
    let mut most = CampaignOf::default();
    for ((ip, ja4), (id, count)) in ips.into_iter().zip(ja4s).zip(ids.into_iter().zip(counts)) {
        most.tell((ip, ja4), id, count);
    }
    Ok(most)
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
            Presence { software: Arc::new(software(ja4, agent)), ja4: ja4.to_owned(), ..one }
        };
        let mut presences: Vec<Presence> = (0..5).map(|number| shown(number, "", "")).collect();
        presences.push(shown(9, "", "t13d1516h2_8daaf6152771_02713d6af862"));
        presences.extend((20..20 + ROTATING).map(|number| shown(number, &format!("browser {number}"), "")));
        presences.push(shown(30, "", ""));
        let mut rotating = CampaignOf::default();
        presences.iter().skip(6).for_each(|one| rotating.tell((&one.src_ip, &one.ja4), "c1", 1));
        name_actors(&mut presences, &rotating);
        let actors: Vec<&str> = presences.iter().map(|one| &*one.actor).collect();
        assert_eq!(actors[..5], [""; 5], "nothing shown is nothing in common");
        assert!(actors[5].contains("t13d"), "a JA4 alone is something");
        assert!(actors[6..].iter().all(|actor| *actor == "c1"), "{actors:?}");
    }

    #[test]
    fn an_address_belongs_to_the_campaign_of_most_of_its_sessions_and_of_as_many_to_the_first() {
        let mut campaigns = CampaignOf::default();
        let one = presence(1, 1, "curl");
        let told = [("c1", 2), ("c2", 3), ("c3", 3)];
        told.into_iter().for_each(|(campaign, sessions)| campaigns.tell((&one.src_ip, &one.ja4), campaign, sessions));
        campaigns.tell((&one.src_ip, "another"), "c4", 9);
        assert_eq!(campaigns.of(&one), Some("c2"));
        assert_eq!(campaigns.of(&presence(2, 1, "curl")), None);
    }
}
