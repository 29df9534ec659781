//! Data for an experiment: found or generated, replayed into a store of its own, its sessions held against the labels.
//!
//! Promises: nothing outside the working folder is written; the same source and seed give the same rows (their digest is kept).
//!
//! Read next: `truth.rs`, `bench.rs` (models over these sessions).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ja4_replay::pipeline::{ReplayPlan, ReplaySummary, Silent, replay};
use ja4_replay::store::{self, Contents, OpenOptions, Statement, Store};

use super::plan::DataSource;
use super::truth::{Connection, Labels};
use crate::checked_toml::TextFile;
use crate::cycle::{self, CyclePlan};
use crate::dataset::{self, Dataset, Role};
use crate::error::LabError;
use crate::frame::{FeatureFrame, to_polars};
use crate::synth;

const REQUESTS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/experiment_requests.sql"));

/// A data set on disk, recorded or generated.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is called in results.
    pub name: String,
    /// Its files.
    pub set: Dataset,
}

/// A data set in a store.
pub struct Loaded {
    /// What it is called in results.
    pub name: String,
    /// The store.
    pub store: Box<dyn Store>,
    /// Its labels.
    pub labels: Labels,
    /// What the replay told.
    pub summary: ReplaySummary,
    /// Digest over its rows.
    pub rows_digest: String,
}

/// What made a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionTruth {
    /// `human`, `good_bot` or `bot`.
    pub class: String,
    /// Kind of client.
    pub kind: String,
    /// Client.
    pub name: String,
    /// Population of a scenario.
    pub population: String,
    /// Campaign of a scenario.
    pub campaign: String,
}

/// Where things are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder `datasets`.
    pub datasets: PathBuf,
    /// Where temporary files may go; made and removed by the caller.
    pub work: PathBuf,
    /// Threads; results never depend on it.
    pub threads: usize,
}

impl Places {
    /// The folder `datasets` beside the recorded sets that `dataset list` shows.
    #[must_use]
    pub fn datasets() -> PathBuf {
        dataset::default_root().parent().map_or_else(|| PathBuf::from("datasets"), Path::to_path_buf)
    }

    /// Finds a recorded set, or generates a scenario, changed by `edit`, into the working folder.
    ///
    /// # Errors
    /// The set or scenario is not there or not as described; the file system's refusal.
    pub fn source(&self, data: &DataSource, tag: &str, edit: &dyn Fn(String) -> String) -> Result<Source, LabError> {
        if let Some(name) = &data.recorded {
            return Ok(Source { name: name.clone(), set: Dataset::open(&self.datasets.join("recorded").join(name))? });
        }
        let name = data.scenario.clone().unwrap_or_default();
        let path = self.datasets.join("scenarios").join(&name);
        let file = TextFile::read("scenario", &path)?;
        let text = edit(file.text);
        let target = self.work.join(format!("data-{tag}"));
        synth::generate_text(&TextFile::of("scenario", &path.display().to_string(), &text), data.seed, &target, &mut |_| {})?;
        Ok(Source { name: format!("{} seed {}", name.trim_end_matches(".toml"), data.seed), set: Dataset::open(&target)? })
    }

    /// Replays `source` with `shape` applied to the plan into a store of its own; of several logs the one at `log`.
    ///
    /// # Errors
    /// What the replay refuses.
    pub fn load(&self, source: &Source, tag: &str, log: usize, shape: &dyn Fn(&mut ReplayPlan)) -> Result<Loaded, LabError> {
        let db = self.work.join(format!("store-{tag}.duckdb"));
        let mut store = store::open(&db, &OpenOptions { threads: self.threads, ..OpenOptions::default() })?;
        store.migrate()?;
        let logs = source.set.files(Role::HttpLog);
        let http_log = logs.get(log).or_else(|| logs.first()).cloned();
        let mut plan = ReplayPlan {
            captures: source.set.files(Role::Capture),
            http_logs: http_log.into_iter().collect(),
            threads: self.threads,
            ..ReplayPlan::default()
        };
        shape(&mut plan);
        let summary = replay(&plan, &mut *store, &Silent)?;
        let rows_digest = store.digest(Contents::Rows)?;
        let labels = Labels::read(&source.set.folder.join("labels.csv"))?;
        Ok(Loaded { name: source.name.clone(), store, labels, summary, rows_digest })
    }

    /// Both, for the usual case.
    ///
    /// # Errors
    /// As both, or rows that are not those the plan names.
    pub fn usual(&self, data: &DataSource, tag: &str) -> Result<Loaded, LabError> {
        let source = self.source(data, tag, &|text| text)?;
        let loaded = self.load(&source, tag, 0, &|_| {})?;
        match &data.rows_digest {
            Some(wanted) if !loaded.rows_digest.starts_with(wanted.as_str()) => Err(LabError::Ask(format!(
                "experiment: the rows of {} digest to {}, the plan wants {wanted}; another version of the data or of the program made them",
                loaded.name, loaded.rows_digest
            ))),
            _ => Ok(loaded),
        }
    }
}

/// One request with the connection that truly carried it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Hour, ms since 1970.
    pub win_ms: i64,
    /// Address.
    pub src_ip: String,
    /// JA4 of its session.
    pub ja4: String,
    /// Host of its session.
    pub host: String,
    /// How it was joined.
    pub match_kind: String,
    /// Time of the handshake it was joined with; -1 for none.
    pub hello_ts_ns: i64,
    /// What carried it, where the labels know.
    pub carrier: Option<Connection>,
}

impl Loaded {
    /// Every request in time order.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn requests(&self) -> Result<Vec<Request>, LabError> {
        let frame = FeatureFrame::from_batches(&self.store.ask(&REQUESTS, &[])?)?;
        let (times, ports, hellos) = (frame.int("ts_ns")?, frame.int("src_port")?, frame.int("hello_ts_ns")?);
        let texts = ["src_ip", "conn_id", "ja4", "host", "match_kind"].map(|name| frame.text(name));
        let [ips, ids, ja4s, hosts, kinds] = texts;
        let (ips, ids, ja4s, hosts, kinds) = (ips?, ids?, ja4s?, hosts?, kinds?);
        let row = |place: usize| {
            let text = |column: &[String]| column.get(place).cloned().unwrap_or_default();
            let int = |column: &[i64]| column.get(place).copied().unwrap_or_default();
            let (ts_ns, src_ip) = (int(&times), text(&ips));
            let carrier = self.labels.carrier(&text(&ids), &src_ip, int(&ports), ts_ns).cloned();
            let win_ms = ts_ns.div_euclid(3_600_000_000_000).saturating_mul(3_600_000);
            Request {
                win_ms,
                src_ip,
                ja4: text(&ja4s),
                host: text(&hosts),
                match_kind: text(&kinds),
                hello_ts_ns: int(&hellos),
                carrier,
            }
        };
        Ok((0..times.len()).map(row).collect())
    }

    /// The feature table, with the truth of each session: that of most of its requests; `None` where people and programs share it.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn sessions(&self) -> Result<(FeatureFrame, Vec<Option<SessionTruth>>), LabError> {
        let frame = cycle::read_frame(&*self.store, &CyclePlan::default())?;
        let mut seen: BTreeMap<(i64, String, String, String), BTreeMap<[String; 5], u64>> = BTreeMap::new();
        for request in self.requests()? {
            let Some(c) = request.carrier else { continue };
            let truth = [c.class, c.kind, c.name, c.population, c.campaign];
            *seen.entry((request.win_ms, request.src_ip, request.ja4, request.host)).or_default().entry(truth).or_default() += 1;
        }
        let (windows, ips, ja4s, hosts) = (frame.int("win_ms")?, frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?);
        let truth = |place: usize| {
            let text = |column: &[String]| column.get(place).cloned().unwrap_or_default();
            let counts = seen.get(&(windows.get(place).copied().unwrap_or_default(), text(&ips), text(&ja4s), text(&hosts)))?;
            let human = |truth: &[String; 5]| truth.first().is_some_and(|class| class == "human");
            if counts.keys().any(human) && !counts.keys().all(human) {
                return None;
            }
            // Of equals the first by name, so that no order of a map has a say.
            let (most, _) = counts.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)))?;
            let [class, kind, name, population, campaign] = most.clone();
            Some(SessionTruth { class, kind, name, population, campaign })
        };
        let truths = (0..frame.sessions()).map(truth).collect();
        Ok((frame, truths))
    }

    /// A query's answer as a frame.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn ask(&self, statement: &Statement) -> Result<FeatureFrame, LabError> {
        FeatureFrame::from_batches(&self.store.ask(statement, &[])?)
    }

    /// Rows of the store as polars, for a table of results.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn table(&self, statement: &Statement) -> Result<polars::prelude::DataFrame, LabError> {
        to_polars(&self.store.ask(statement, &[])?)
    }
}
