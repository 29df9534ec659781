//! An anomalous session as campaigns see it: of the run at hand, or a member of a campaign as it was stored.
//!
//! Promises: those of a run are what is written of them, in key order, as the frame is.
//!
//! Read next: `mod.rs`.

use crate::cycle::Verdict;
use crate::error::LabError;
use crate::frame::FeatureFrame;
use crate::rows::Rows;

/// One session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// Stable name.
    pub id: String,
    /// Hour, ms since 1970.
    pub win_ms: i64,
    /// Address.
    pub src_ip: String,
    /// JA4, empty without a handshake.
    pub ja4: String,
    /// Host asked.
    pub host: String,
    /// Requests.
    pub hits: i64,
    /// Final score.
    pub score: f64,
    /// Severity in a word.
    pub severity: String,
    /// User-Agent.
    pub user_agent: String,
    /// Family that the User-Agent names.
    pub ua_family: String,
    /// Autonomous system, -1 if unknown.
    pub asn: i64,
    /// Country, empty if unknown.
    pub country: String,
    /// First request, ns since 1970.
    pub first_ns: i64,
    /// Last request, ns since 1970.
    pub last_ns: i64,
    /// How firmly it belongs to its campaign, 0 to 1.
    pub membership: f64,
    /// Grouped in this cycle.
    pub fresh: bool,
}

impl Session {
    /// The network of its address: the autonomous system where it is known, else /24 or /48.
    #[must_use]
    pub fn network(&self) -> String {
        if self.asn > 0 { format!("AS{}", self.asn) } else { network_of(&self.src_ip) }
    }
}

/// `192.0.2.0/24` or `2001:db8:1::/48`; the address itself if it is none.
#[must_use]
pub fn network_of(address: &str) -> String {
    match address.parse() {
        Ok(std::net::IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(std::net::IpAddr::V6(v6)) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
        Err(_) => address.to_owned(),
    }
}

/// The anomalous sessions of a run.
pub(crate) struct Anomalous {
    pub(super) sessions: Vec<Session>,
    /// Row of each in the frame.
    pub(super) rows: Vec<usize>,
}

impl Anomalous {
    /// Those among `verdicts`, which are in the order of the frame, as `ids` are.
    ///
    /// # Errors
    /// A column that the view lacks.
    pub(crate) fn of(frame: &FeatureFrame, ids: &[String], verdicts: &[Verdict]) -> Result<Self, LabError> {
        let (hours, hits, asns) = (frame.int("win_ms")?, frame.int("hits")?, frame.int("asn")?);
        let (ips, ja4s, hosts) = (frame.texts("src_ip")?, frame.texts("ja4")?, frame.texts("host")?);
        let (agents, families, countries) = (frame.texts("user_agent")?, frame.texts("ua_family")?, frame.texts("country")?);
        let (firsts, lasts) = (frame.int("first_ns")?, frame.int("last_ns")?);
        let text = |column: &[&str], row: usize| column.get(row).copied().unwrap_or_default().to_owned();
        let int = |column: &[i64], row: usize| column.get(row).copied().unwrap_or_default();
        let one = |verdict: &Verdict| {
            let row = verdict.row;
            Session {
                id: ids.get(row).cloned().unwrap_or_default(),
                win_ms: int(&hours, row),
                src_ip: text(&ips, row),
                ja4: text(&ja4s, row),
                host: text(&hosts, row),
                hits: int(&hits, row),
                score: verdict.score,
                severity: verdict.severity.to_owned(),
                user_agent: text(&agents, row),
                ua_family: text(&families, row),
                asn: int(&asns, row),
                country: text(&countries, row),
                first_ns: int(&firsts, row),
                last_ns: int(&lasts, row),
                membership: 0.0,
                fresh: false,
            }
        };
        let anomalous = || verdicts.iter().filter(|verdict| verdict.anomaly);
        Ok(Self { sessions: anomalous().map(one).collect(), rows: anomalous().map(|verdict| verdict.row).collect() })
    }
}

/// Sessions of an answer with the columns of `campaign_members.sql`.
fn read(rows: &Rows) -> Result<Vec<Session>, LabError> {
    let ids = rows.text("session_id")?;
    let (hours, hits, asns) = (rows.int("win_ms")?, rows.int("hits")?, rows.int("asn")?);
    let (ips, ja4s, hosts) = (rows.text("src_ip")?, rows.text("ja4")?, rows.text("host")?);
    let (agents, families) = (rows.text("user_agent")?, rows.text("ua_family")?);
    let (countries, severities) = (rows.text("country")?, rows.text("severity")?);
    let (scores, firsts, lasts) = (rows.float("score")?, rows.int("first_ns")?, rows.int("last_ns")?);
    let text = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let int = |column: &[i64], row: usize| column.get(row).copied().unwrap_or_default();
    let one = |row: usize| Session {
        id: text(&ids, row),
        win_ms: int(&hours, row),
        src_ip: text(&ips, row),
        ja4: text(&ja4s, row),
        host: text(&hosts, row),
        hits: int(&hits, row),
        score: scores.get(row).copied().unwrap_or_default(),
        severity: text(&severities, row),
        user_agent: text(&agents, row),
        ua_family: text(&families, row),
        asn: int(&asns, row),
        country: text(&countries, row),
        first_ns: int(&firsts, row),
        last_ns: int(&lasts, row),
        membership: 0.0,
        fresh: false,
    };
    Ok((0..rows.len()).map(one).collect())
}

/// The same, with how firmly each belongs.
pub(super) fn read_members(rows: &Rows) -> Result<Vec<Session>, LabError> {
    let memberships = rows.float("membership")?;
    let mut sessions = read(rows)?;
    sessions.iter_mut().zip(memberships).for_each(|(session, membership)| session.membership = membership);
    Ok(sessions)
}
