//! Campaigns: anomalous sessions that belong together, under names that stay the same from cycle to cycle.
//!
//! Sessions are placed by what they do and by which software they show (`features.rs`), grouped by density (HDBSCAN) and identity
//! (`group.rs`), matched to the campaigns known before by members and traits (`identity.rs`), and rearranged as analysts decided
//! (`decide.rs`).
//! Promises: the same store gives the same campaigns; a decision of an analyst outlives every later grouping; campaigns not
//! seen in a cycle stay as they are; nothing is done by a clock: what is recent is told by the sessions.
//!
//! Read next: `session.rs`, `features.rs`, `group.rs`, `identity.rs`, `decide.rs`, `words.rs`.

mod decide;
mod dense;
mod features;
mod group;
mod identity;
mod session;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{Statement, Store, TableName};
use serde::Serialize;

pub use self::decide::{Decision, Field, Kind, decide};
pub(crate) use self::group::{Software, software};
use self::identity::Known;
pub(crate) use self::session::Anomalous;
pub use self::session::{Session, network_of};
use crate::error::LabError;
use crate::frame::FeatureFrame;
use crate::rows::{Columns, Rows, short_id};

macro_rules! sql {
    ($name:literal) => {
        Statement::shared(include_str!(concat!("../../../sql/shared/queries/", $name, ".sql")))
    };
}

const KNOWN: Statement = sql!("campaign_known");
const MEMBERS: Statement = sql!("campaign_members");
const LIST: Statement = sql!("campaigns_list");
const SHOW: Statement = sql!("campaign_show");
const CAMPAIGNS: TableName = TableName { schema: "ja4_processing", table: "campaigns" };
const CAMPAIGN_MEMBERS: TableName = TableName { schema: "ja4_processing", table: "campaign_members" };

/// Campaigns unseen for longer are not matched any more, ns (30 days).
const REMEMBERED_NS: i64 = 30 * 86_400 * 1_000_000_000;
/// Campaigns unseen for longer are quiet, ns (7 days).
const QUIET_NS: i64 = 7 * 86_400 * 1_000_000_000;

/// What an update did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CampaignReport {
    /// Anomalous sessions looked at.
    pub sessions: usize,
    /// Of those, sessions that belong to a campaign.
    pub grouped: usize,
    /// Campaigns seen in this cycle.
    pub seen: usize,
    /// Of those, campaigns that were not known before.
    pub new: usize,
}

/// A campaign with its sessions.
#[derive(Debug, Clone, Default)]
struct Campaign {
    name: String,
    state: &'static str,
    members: BTreeMap<String, Session>,
}

/// What a grouping needs of the store, and what it is about: from here on it can run beside what else is asked and written.
pub(crate) struct Cycle {
    anomalous: Anomalous,
    campaigns: BTreeMap<String, Campaign>,
    decisions: Vec<Decision>,
    newest_ns: i64,
}

impl Cycle {
    /// Of the anomalous sessions of a run, with the campaigns known before and what analysts decided.
    ///
    /// # Errors
    /// The engine's refusal.
    pub(crate) fn begin(store: &dyn Store, anomalous: Anomalous) -> Result<Self, LabError> {
        let newest_ns = anomalous.sessions.iter().map(|session| session.last_ns).max().unwrap_or_default();
        let campaigns = known(store, &newest_ns.saturating_sub(REMEMBERED_NS).to_string())?;
        Ok(Self { anomalous, campaigns, decisions: decide::read(store)?, newest_ns })
    }

    /// Groups the sessions and finds the campaigns they belong to. At most `most` sessions are compared with each other (setting
    /// `cluster_max`). The store is not asked.
    ///
    /// # Errors
    /// A feature that the view lacks.
    pub(crate) fn grouped(mut self, frame: &FeatureFrame, scored_run: &str, most: usize) -> Result<Grouped, LabError> {
        let groups = group::group(frame, &self.anomalous, most)?;
        let mut report = CampaignReport { sessions: self.anomalous.sessions.len(), ..CampaignReport::default() };
        let seen = place(&mut self.campaigns, groups, &mut report);
        let changed = decide::apply(&self.decisions, &mut self.campaigns, &seen);
        report.grouped = self.campaigns.values().flat_map(|campaign| campaign.members.values()).filter(|m| m.fresh).count();
        report.seen = seen.len();
        let batches = batches(&self.campaigns, &changed, self.newest_ns, scored_run)?;
        Ok(Grouped { report, changed, batches })
    }
}

/// Campaigns as they are to be written.
pub(crate) struct Grouped {
    report: CampaignReport,
    changed: BTreeSet<String>,
    batches: [RecordBatch; 2],
}

impl Grouped {
    /// Writes the campaigns that changed anew.
    ///
    /// # Errors
    /// The engine's refusal.
    pub(crate) fn write(self, store: &dyn Store) -> Result<CampaignReport, LabError> {
        write(store, &self.changed, self.batches)?;
        Ok(self.report)
    }
}

/// Campaigns kept before, by id.
fn known(store: &dyn Store, since: &str) -> Result<BTreeMap<String, Campaign>, LabError> {
    let rows = Rows::ask(store, &KNOWN, &[since])?;
    let mut known = BTreeMap::new();
    for ((id, name), state) in rows.text("campaign_id")?.into_iter().zip(rows.text("name")?).zip(rows.text("state")?) {
        let state = words::state(&state);
        known.insert(id, Campaign { name, state, members: BTreeMap::new() });
    }
    let rows = Rows::ask(store, &MEMBERS, &[since])?;
    for (id, session) in rows.text("campaign_id")?.into_iter().zip(session::read_members(&rows)?) {
        if let Some(campaign) = known.get_mut(&id) {
            campaign.members.insert(session.id.clone(), session);
        }
    }
    Ok(known)
}

/// Puts each group into the campaign it continues, or a new one; gives the ids touched.
fn place(campaigns: &mut BTreeMap<String, Campaign>, groups: Vec<Vec<Session>>, report: &mut CampaignReport) -> BTreeSet<String> {
    let before: Vec<Known> = campaigns
        .iter()
        .filter(|(_, campaign)| campaign.state != "merged" && campaign.state != "closed")
        .map(|(id, campaign)| Known::new(id, campaign.members.values()))
        .collect();
    let mut seen = BTreeSet::new();
    let mut held_by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, campaign) in campaigns.iter() {
        for session in campaign.members.keys() {
            held_by.entry(session.clone()).or_default().insert(id.clone());
        }
    }
    for group in groups {
        let id = identity::continued(&before, &group).unwrap_or_else(|| {
            report.new += 1;
            new_id(&group)
        });
        // A session belongs to one campaign: to that of its newest grouping.
        for session in &group {
            let before = held_by.insert(session.id.clone(), BTreeSet::from([id.clone()]));
            for other in before.into_iter().flatten().filter(|other| *other != id) {
                if let Some(campaign) = campaigns.get_mut(&other) {
                    campaign.members.remove(&session.id);
                    seen.insert(other);
                }
            }
        }
        let campaign = campaigns.entry(id.clone()).or_default();
        if campaign.name.is_empty() {
            campaign.name = words::name(&group);
        }
        campaign.state = "active";
        campaign.members.extend(group.into_iter().map(|session| (session.id.clone(), session)));
        seen.insert(id);
    }
    seen
}

/// Identity of a campaign not seen before: a digest over its first members.
fn new_id(group: &[Session]) -> String {
    let members: BTreeSet<&str> = group.iter().map(|session| session.id.as_str()).collect();
    format!("c{}", short_id(members).get(..10).unwrap_or_default())
}

/// Members and campaigns of `ids` as they are to be written.
fn batches(
    campaigns: &BTreeMap<String, Campaign>,
    ids: &BTreeSet<String>,
    newest_ns: i64,
    scored_run: &str,
) -> Result<[RecordBatch; 2], LabError> {
    let touched = ids.iter().filter_map(|id| campaigns.get(id).map(|campaign| (id.as_str(), campaign)));
    let kept: Vec<(&str, &Campaign)> =
        touched.filter(|(_, campaign)| !campaign.members.is_empty() || campaign.state == "merged").collect();
    let members: Vec<(&str, &Session)> =
        kept.iter().flat_map(|(id, campaign)| campaign.members.values().map(|member| (*id, member))).collect();
    Ok([members_batch(&members, scored_run)?, campaigns_batch(&kept, newest_ns, scored_run)?])
}

/// Writes the campaigns in `ids` anew.
fn write(store: &dyn Store, ids: &BTreeSet<String>, [members, campaigns]: [RecordBatch; 2]) -> Result<(), LabError> {
    if ids.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = ids.iter().map(String::as_str).collect();
    store.replace(CAMPAIGN_MEMBERS, "campaign_id", &keys, Some(members))?;
    store.replace(CAMPAIGNS, "campaign_id", &keys, Some(campaigns))?;
    Ok(())
}

fn members_batch(members: &[(&str, &Session)], scored_run: &str) -> Result<RecordBatch, LabError> {
    Columns::new()
        .text("campaign_id", members.iter().map(|(id, _)| *id))
        .text("session_id", members.iter().map(|(_, member)| &member.id))
        .int("win_ms", members.iter().map(|(_, member)| member.win_ms))
        .text("src_ip", members.iter().map(|(_, member)| &member.src_ip))
        .text("ja4", members.iter().map(|(_, member)| &member.ja4))
        .text("host", members.iter().map(|(_, member)| &member.host))
        .int("hits", members.iter().map(|(_, member)| member.hits))
        .float("score", members.iter().map(|(_, member)| member.score))
        .float("membership", members.iter().map(|(_, member)| member.membership))
        .text("scored_run", members.iter().map(|_| scored_run))
        .batch()
}

fn campaigns_batch(kept: &[(&str, &Campaign)], newest_ns: i64, scored_run: &str) -> Result<RecordBatch, LabError> {
    let summaries: Vec<words::Summary> = kept.iter().map(|(_, campaign)| words::summary(campaign.members.values())).collect();
    let state = |campaign: &Campaign, summary: &words::Summary| match campaign.state {
        "active" if newest_ns.saturating_sub(summary.last_ns) > QUIET_NS => "quiet",
        state => state,
    };
    Columns::new()
        .text("campaign_id", kept.iter().map(|(id, _)| *id))
        .text("name", kept.iter().map(|(_, campaign)| &campaign.name))
        .int("first_ns", summaries.iter().map(|summary| summary.first_ns))
        .int("last_ns", summaries.iter().map(|summary| summary.last_ns))
        .int("sessions", summaries.iter().map(|summary| summary.sessions))
        .int("ips", summaries.iter().map(|summary| summary.ips))
        .int("ja4s", summaries.iter().map(|summary| summary.ja4s))
        .int("hosts", summaries.iter().map(|summary| summary.hosts))
        .int("hits", summaries.iter().map(|summary| summary.hits))
        .float("score", summaries.iter().map(|summary| summary.score))
        .text("severity", summaries.iter().map(|summary| summary.severity))
        .text("reason", summaries.iter().map(|summary| &summary.reason))
        .text("traits", summaries.iter().map(|summary| &summary.traits))
        .text("state", kept.iter().zip(&summaries).map(|((_, campaign), summary)| state(campaign, summary)))
        .text("scored_run", kept.iter().map(|_| scored_run))
        .batch()
}

/// Campaigns, worst first.
///
/// # Errors
/// The engine's refusal.
pub fn list(store: &dyn Store) -> Result<Vec<RecordBatch>, LabError> {
    Ok(store.ask(&LIST, &[])?)
}

/// Sessions of one campaign, worst first.
///
/// # Errors
/// The engine's refusal.
pub fn show(store: &dyn Store, id: &str) -> Result<Vec<RecordBatch>, LabError> {
    Ok(store.ask(&SHOW, &[id])?)
}

#[cfg(test)]
mod tests;
