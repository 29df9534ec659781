//! What analysts decide about campaigns: merge, split, rename, close; kept as decisions and applied to every later grouping.
//!
//! Promises: decisions are only added; they are applied in the order of their time; each leaves a line in `audit_logs`.
//!
//! Read next: `mod.rs` (when they are applied).

use std::collections::{BTreeMap, BTreeSet};

use ja4_replay::store::{Statement, Store, TableName};

use super::{Campaign, Session};
use crate::audit::{self, Entry};
use crate::error::LabError;
use crate::rows::{Columns, Rows, short_id};

const DECISIONS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/campaign_decisions.sql"));
const CAMPAIGN_DECISIONS: TableName = TableName { schema: "ja4_processing", table: "campaign_decisions" };

/// By what a campaign is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Address.
    SrcIp,
    /// JA4.
    Ja4,
    /// Host asked.
    Host,
    /// User-Agent.
    UserAgent,
    /// Network: `AS64500`, or `192.0.2.0/24`.
    Network,
}

impl Field {
    const ALL: [(&'static str, Self); 5] = [
        ("src_ip", Self::SrcIp),
        ("ja4", Self::Ja4),
        ("host", Self::Host),
        ("user_agent", Self::UserAgent),
        ("network", Self::Network),
    ];

    /// The field of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }

    fn of(self, session: &Session) -> String {
        match self {
            Self::SrcIp => session.src_ip.clone(),
            Self::Ja4 => session.ja4.clone(),
            Self::Host => session.host.clone(),
            Self::UserAgent => session.user_agent.clone(),
            Self::Network => session.network(),
        }
    }
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Another campaign is part of this one.
    Merge(String),
    /// Members whose field has the value are a campaign of their own.
    Split(Field, String),
    /// What people call it.
    Rename(String),
    /// Dealt with; it comes back under a new identity if it is seen again.
    Close,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// About which campaign.
    pub campaign_id: String,
    /// What.
    pub kind: Kind,
    /// Why.
    pub note: String,
    /// Who.
    pub analyst: String,
    /// The driver's clock, ns since 1970.
    pub ts_ns: i64,
}

impl Decision {
    /// Kind, other campaign, field and value as stored.
    fn stored(&self) -> (&'static str, String, &'static str, String) {
        match &self.kind {
            Kind::Merge(other) => ("merge", other.clone(), "", String::new()),
            Kind::Split(field, value) => ("split", split_id(&self.campaign_id, *field, value), field.name(), value.clone()),
            Kind::Rename(name) => ("rename", String::new(), "", name.clone()),
            Kind::Close => ("close", String::new(), "", String::new()),
        }
    }
}

fn split_id(campaign_id: &str, field: Field, value: &str) -> String {
    format!("c{}", short_id([campaign_id, field.name(), value]).get(..10).unwrap_or_default())
}

/// Keeps a decision and applies it to what is stored; gives the id of the campaign that a split makes, else the one decided about.
///
/// # Errors
/// A campaign that is not there, a split that would move nothing or everything, a name that is none, or the engine's refusal.
pub fn decide(store: &dyn Store, decision: &Decision) -> Result<String, LabError> {
    audit::check_name("--analyst", &decision.analyst)?;
    let mut campaigns = super::known(store, &i64::MIN.to_string())?;
    let there = |id: &str| match campaigns.get(id) {
        Some(campaign) => Ok(campaign),
        None => Err(LabError::Ask(format!(
            "campaigns: there is no campaign {:?}; `ja4-lab campaigns list` names them",
            crate::render::visible(id)
        ))),
    };
    let campaign = there(&decision.campaign_id)?;
    match &decision.kind {
        Kind::Merge(other) if *other == decision.campaign_id => {
            return Err(LabError::Ask("campaigns merge: name two different campaigns".to_owned()));
        }
        Kind::Merge(other) => {
            there(other)?;
        }
        Kind::Rename(name) => audit::check_name("the new name", name)?,
        Kind::Split(field, value) => {
            let moved = campaign.members.values().filter(|member| field.of(member) == *value).count();
            if moved == 0 || moved == campaign.members.len() {
                let (all, name) = (campaign.members.len(), field.name());
                return Err(LabError::Ask(format!(
                    "campaigns split: {moved} of {all} members have this {name}; nothing would part"
                )));
            }
        }
        Kind::Close => {}
    }
    let (kind, other_id, field, value) = decision.stored();
    let ts = decision.ts_ns.to_string();
    let decision_id = short_id([kind, &decision.campaign_id, &other_id, field, &value, &ts]);
    let batch = Columns::new()
        .int("ts_ns", [decision.ts_ns])
        .text("decision_id", [&decision_id])
        .text("kind", [kind])
        .text("campaign_id", [&decision.campaign_id])
        .text("other_id", [&other_id])
        .text("field", [field])
        .text("value", [&value])
        .text("note", [&decision.note])
        .text("analyst", [&decision.analyst])
        .batch()?;
    store.insert(CAMPAIGN_DECISIONS, batch)?;
    let seen = BTreeSet::from([decision.campaign_id.clone(), other_id.clone()]);
    let changed = apply(&read(store)?, &mut campaigns, &seen);
    let newest = campaigns.values().flat_map(|campaign| campaign.members.values()).map(|member| member.last_ns).max();
    let batches = super::batches(&campaigns, &changed, newest.unwrap_or_default(), "decision")?;
    super::write(store, &changed, batches)?;
    let (action, detail) = (format!("campaigns {kind}"), format!("{other_id} {field} {value}"));
    let entry = Entry {
        ts_ns: decision.ts_ns,
        actor: &decision.analyst,
        action: &action,
        target: &decision.campaign_id,
        outcome: "done",
        detail: detail.trim(),
    };
    audit::record(store, &entry)?;
    Ok(if kind == "split" { other_id } else { decision.campaign_id.clone() })
}

/// Every decision, oldest first; rows that say nothing sensible are left out.
pub(super) fn read(store: &dyn Store) -> Result<Vec<Decision>, LabError> {
    let rows = Rows::ask(store, &DECISIONS, &[])?;
    let (times, kinds, ids) = (rows.int("ts_ns")?, rows.text("kind")?, rows.text("campaign_id")?);
    let (others, fields, values, analysts) =
        (rows.text("other_id")?, rows.text("field")?, rows.text("value")?, rows.text("analyst")?);
    let mut decisions = Vec::with_capacity(rows.len());
    let all = times.into_iter().zip(kinds).zip(ids.into_iter().zip(others)).zip(fields.into_iter().zip(values)).zip(analysts);
    for ((((ts_ns, kind), (campaign_id, other)), (field, value)), analyst) in all {
        let kind = match (kind.as_str(), Field::from_name(&field)) {
            ("merge", _) => Kind::Merge(other),
            ("split", Some(field)) => Kind::Split(field, value),
            ("rename", _) => Kind::Rename(value),
            ("close", _) => Kind::Close,
            _ => continue,
        };
        decisions.push(Decision { campaign_id, kind, note: String::new(), analyst, ts_ns });
    }
    Ok(decisions)
}

/// Rearranges `campaigns` as decided; gives the ids whose rows have to be written: those in `seen` and those rearranged.
pub(super) fn apply(
    decisions: &[Decision],
    campaigns: &mut BTreeMap<String, Campaign>,
    seen: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut changed = seen.clone();
    for decision in decisions {
        let id = &decision.campaign_id;
        match &decision.kind {
            Kind::Merge(other) => {
                let moved = campaigns.get_mut(other).map(|campaign| {
                    campaign.state = "merged";
                    std::mem::take(&mut campaign.members)
                });
                if let (Some(moved), Some(campaign)) = (moved, campaigns.get_mut(id))
                    && !moved.is_empty()
                {
                    campaign.members.extend(moved);
                    changed.extend([id.clone(), other.clone()]);
                }
            }
            Kind::Split(field, value) => {
                let Some(campaign) = campaigns.get_mut(id) else { continue };
                let moved: Vec<Session> =
                    campaign.members.values().filter(|member| field.of(member) == *value).cloned().collect();
                if moved.is_empty() {
                    continue;
                }
                moved.iter().for_each(|member| drop(campaign.members.remove(&member.id)));
                let name = format!("{} ({} {value})", campaign.name, field.name());
                let part = campaigns.entry(split_id(id, *field, value)).or_default();
                if part.name.is_empty() {
                    (part.name, part.state) = (name, "active");
                }
                part.members.extend(moved.into_iter().map(|member| (member.id.clone(), member)));
                changed.extend([id.clone(), split_id(id, *field, value)]);
            }
            Kind::Rename(name) => {
                if let Some(campaign) = campaigns.get_mut(id).filter(|campaign| campaign.name != *name) {
                    campaign.name.clone_from(name);
                    changed.insert(id.clone());
                }
            }
            Kind::Close => {
                if let Some(campaign) = campaigns.get_mut(id).filter(|campaign| campaign.state != "closed") {
                    campaign.state = "closed";
                    changed.insert(id.clone());
                }
            }
        }
    }
    changed
}
