//! What a scoring run writes, and in which order, over a store that says what it was asked to do and may refuse it: campaigns are found on
//! another thread while scores are written, which must be seen in nothing but the time.
//!
//! Read next: `ja4_lab::cycle` (`outcome.rs`).

use std::cell::RefCell;
use std::sync::Arc;

use duckdb::arrow::array::RecordBatch;
use ja4_join::row::HttpLogRow;
use ja4_lab::cycle::settings::Settings;
use ja4_lab::cycle::{self, CyclePlan, CycleReport};
use ja4_lab::error::LabError;
use ja4_replay::ReplayError;
use ja4_replay::store::chunk::Chunk;
use ja4_replay::store::{
    self, Appended, Contents, Engine, InputRecord, Interrupt, OpenOptions, RunRecord, Statement, Store, TableName,
};

const WRITTEN: [&str; 6] = ["scores", "judges", "score_baseline", "campaign_members", "campaigns", "fleet_detections"];
const CAMPAIGNS: &str = "SELECT * EXCLUDE (scored_run) FROM ja4_processing.campaigns ORDER BY campaign_id";
const FLEETS: &str = "SELECT * EXCLUDE (scored_run) FROM ja4_processing.fleet_detections ORDER BY fleet_id";

/// A store that remembers what was written, and refuses one thing.
struct Told {
    store: Box<dyn Store>,
    written: RefCell<Vec<String>>,
    /// `write` with a table or `scores`, or part of a question.
    refused: &'static str,
}

impl Told {
    /// A fresh store with the requests of forty programs and twenty people.
    fn new(folder: &std::path::Path, refused: &'static str) -> Self {
        let mut store = store::open(&folder.join("told.duckdb"), &OpenOptions::default()).unwrap();
        store.migrate().unwrap();
        let row = |session: i64, request: i64| HttpLogRow {
            row_lo: session * 100 + request,
            ts_ns: 1_790_000_000_000_000_000 + session * 7_000_000_000 + request * 300_000_000,
            src_ip: format!("192.0.{}.{}", session % 3, session).into(),
            host: "shop.example".into(),
            method: "GET".into(),
            path: format!("/{}", if session < 40 { request } else { request % 2 }).into(),
            status: 200,
            is_page: 1,
            user_agent: if session < 40 { "tool/1" } else { "Mozilla/5.0 (X11)" }.into(),
            ja4: if session < 40 { "t13d1516h2_8daaf6152771_02713d6af862" } else { "" }.into(),
            ..HttpLogRow::unknown()
        };
        let rows: Vec<HttpLogRow> = (0..60).flat_map(|session| (0..6).map(move |request| row(session, request))).collect();
        store.append(&rows).unwrap();
        Self { store, written: RefCell::default(), refused }
    }

    fn refuse(&self, what: &str) -> Result<(), ReplayError> {
        if self.refused.is_empty() || !what.contains(self.refused) {
            return Ok(());
        }
        let detail = format!("no {}", self.refused);
        Err(ReplayError::Engine { operation: "write", path: "told".into(), detail })
    }

    /// Says that `what` is about to be written.
    fn told(&self, what: &str) -> Result<(), ReplayError> {
        self.refuse(&format!("write {what}"))?;
        self.written.borrow_mut().push(what.to_owned());
        Ok(())
    }

    /// A run in which every session is anomalous.
    fn run(&self) -> Result<CycleReport, LabError> {
        let settings = Settings::parse(&["threshold=0".to_owned()]).unwrap();
        cycle::run(self, &CyclePlan { settings, ..CyclePlan::default() })
    }

    fn text(&self, sql: &str) -> String {
        format!("{:?}", self.store.query(sql).unwrap())
    }
}

impl Store for Told {
    fn engine(&self) -> Engine {
        self.store.engine()
    }
    fn label(&self) -> String {
        self.store.label()
    }
    fn sibling(&self) -> Result<Box<dyn Store>, ReplayError> {
        self.store.sibling()
    }
    fn interrupter(&self) -> Arc<dyn Interrupt> {
        self.store.interrupter()
    }
    fn migrate(&mut self) -> Result<usize, ReplayError> {
        self.store.migrate()
    }
    fn append_chunks(&mut self, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
        self.store.append_chunks(chunks)
    }
    fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, ReplayError> {
        self.store.query(sql)
    }
    fn ask(&self, statement: &Statement<'_>, values: &[&str]) -> Result<Vec<RecordBatch>, ReplayError> {
        self.refuse(statement.duckdb)?;
        self.store.ask(statement, values)
    }
    fn change(&self, statements: &Statement<'_>, values: &[&str]) -> Result<(), ReplayError> {
        self.store.change(statements, values)
    }
    fn insert(&self, table: TableName, batch: RecordBatch) -> Result<(), ReplayError> {
        self.told(table.table)?;
        self.store.insert(table, batch)
    }
    fn replace(
        &self,
        table: TableName,
        column: &'static str,
        values: &[&str],
        batch: Option<RecordBatch>,
    ) -> Result<(), ReplayError> {
        self.told(table.table)?;
        self.store.replace(table, column, values, batch)
    }
    fn replace_scores(&self, first_ms: i64, last_ms: i64, batches: Vec<RecordBatch>) -> Result<(), ReplayError> {
        self.told("scores")?;
        self.store.replace_scores(first_ms, last_ms, batches)
    }
    fn inputs(&self) -> Result<Vec<InputRecord>, ReplayError> {
        self.store.inputs()
    }
    fn record_inputs(&self, inputs: &[InputRecord]) -> Result<(), ReplayError> {
        self.store.record_inputs(inputs)
    }
    fn record_run(&self, run: &RunRecord) -> Result<(), ReplayError> {
        self.store.record_run(run)
    }
    fn digest(&self, contents: Contents) -> Result<String, ReplayError> {
        self.store.digest(contents)
    }
    fn checkpoint(&self) -> Result<(), ReplayError> {
        self.store.checkpoint()
    }
}

#[test]
fn scores_come_first_then_campaigns_then_fleets_and_threads_change_none_of_them() {
    let found = [1, 2, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let folder = tempfile::tempdir().unwrap();
            let store = Told::new(folder.path(), "");
            let report = store.run().unwrap();
            assert_eq!((report.sessions, report.anomalies), (60, 60));
            assert_eq!(*store.written.borrow(), WRITTEN);
            (store.digest(Contents::Scores).unwrap(), store.text(CAMPAIGNS), store.text(FLEETS))
        })
    });
    let [one, two, four] = found;
    assert!(one.1.contains("tool/1") && one.2.contains("tool/1"), "{one:?}");
    assert_eq!(one, two);
    assert_eq!(one, four);
}

#[test]
fn without_scores_nothing_is_written_and_without_groups_the_scores_stand() {
    // What is refused, what is written all the same, and what is said.
    let cases: [(&str, &[&str]); 5] = [
        ("campaign_decisions", &WRITTEN[..3]),
        ("write campaign_members", &WRITTEN[..3]),
        ("score_least", &WRITTEN[..5]),
        ("write fleet_detections", &WRITTEN[..5]),
        ("write scores", &[]),
    ];
    for (refused, written) in cases {
        let folder = tempfile::tempdir().unwrap();
        let store = Told::new(folder.path(), refused);
        match store.run() {
            Ok(report) => {
                let grouping = |note: &&String| note.contains("scores are written, but grouping them failed");
                assert_eq!(report.notes.iter().filter(grouping).count(), 1, "{refused}: {:?}", report.notes);
                assert_ne!(refused, "write scores");
            }
            Err(error) => {
                assert!(refused == "write scores" && error.to_string().contains("no write scores"), "{refused}: {error}")
            }
        }
        assert_eq!(*store.written.borrow(), written, "{refused}");
        assert_eq!(
            store.text("SELECT count(*) FROM ja4_processing.ml_all_scores").contains("60"),
            !written.is_empty(),
            "{refused}"
        );
    }
}
