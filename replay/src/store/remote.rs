//! A database that another process is writing (`ja4-lab live --listen`), asked over HTTP: the same statements, answers as Arrow.
//!
//! Promises: nothing can be written; the token comes from `JA4_TOKEN` or the file that `JA4_TOKEN_FILE` names, never from the command line;
//! values reach the statement as quoted literals; an answer is at most [`MOST_BYTES`].
//!
//! Read next: `ja4_lab::live::serve`, the other end; docs/LIVE.md.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use duckdb::arrow::array::{Array as _, AsArray as _, RecordBatch};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::arrow::error::ArrowError;

use super::chunk::Chunk;
use super::duckdb::sql;
use super::interrupt::{Interrupt, Pending};
use super::{Appended, Contents, Engine, InputRecord, InputState, RunRecord, Statement, Store, TableName};
use crate::ReplayError;

/// Longest answer.
pub const MOST_BYTES: u64 = 1 << 30;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take to begin, and then to end.
const ANSWER: Duration = Duration::from_mins(5);

/// A database behind HTTP.
#[derive(Clone)]
pub struct Remote {
    url: String,
    token: String,
    agent: ureq::Agent,
    /// The one answer that is waited for.
    pending: Pending,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Remote {
    /// Asks at `url` (`http://127.0.0.1:8080`), with the token from the environment.
    ///
    /// # Errors
    /// There is no token, or nobody answers.
    pub fn open(url: &str) -> Result<Self, ReplayError> {
        let fail = |detail: String| ReplayError::Remote { url: url.trim_end_matches('/').to_owned(), detail };
        let token = match (std::env::var("JA4_TOKEN"), std::env::var_os("JA4_TOKEN_FILE")) {
            (Ok(token), _) => token,
            (Err(_), Some(file)) => {
                std::fs::read_to_string(&file).map_err(|error| fail(format!("read token file {}: {error}", file.display())))?
            }
            _ => return Err(fail("no token; put it into JA4_TOKEN, or name its file in JA4_TOKEN_FILE".to_owned())),
        };
        Self::with_token(url, &token)
    }

    /// Asks at `url` with this token.
    ///
    /// # Errors
    /// Nobody answers, or the token is wrong.
    pub fn with_token(url: &str, token: &str) -> Result<Self, ReplayError> {
        let url = url.trim_end_matches('/').to_owned();
        // A host that is gone is told soon; a question may take its time.
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config = config.timeout_connect(Some(CONNECT)).timeout_recv_response(Some(ANSWER)).timeout_recv_body(Some(ANSWER));
        let remote = Self { url, token: token.trim().to_owned(), agent: config.build().new_agent(), pending: Pending::default() };
        remote.query(sql::PROBE).map(drop)?;
        Ok(remote)
    }

    fn fail(&self, detail: impl Into<String>) -> ReplayError {
        ReplayError::Remote { url: self.url.clone(), detail: detail.into() }
    }

    fn refuse<T>(&self) -> Result<T, ReplayError> {
        Err(self.fail("this database can only be read from here; it is written by the process that listens there"))
    }

    /// Asks on a thread of its own: the wait can be ended, the request itself not, so an answer nobody wants any more is dropped there.
    fn post(&self, path: &str, body: &str) -> Result<Vec<u8>, ReplayError> {
        let answer = self.pending.wait(|done| {
            let (asking, path, body) = (self.clone(), path.to_owned(), body.to_owned());
            std::thread::spawn(move || done.send(asking.post_now(&path, &body)));
            || ()
        });
        answer.map_err(|unanswered| unanswered.refusal("ask", &self.url))?
    }

    fn post_now(&self, path: &str, body: &str) -> Result<Vec<u8>, ReplayError> {
        let sent =
            self.agent.post(format!("{}{path}", self.url)).header("Authorization", format!("Bearer {}", self.token)).send(body);
        let mut answer = sent.map_err(|error| self.fail(error.to_string()))?;
        let status = answer.status();
        let bytes =
            answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec().map_err(|error| self.fail(error.to_string()))?;
        if status.is_success() { Ok(bytes) } else { Err(self.fail(String::from_utf8_lossy(&bytes).trim().to_owned())) }
    }
}

impl Store for Remote {
    fn engine(&self) -> Engine {
        Engine::DuckDb
    }

    fn label(&self) -> String {
        self.url.clone()
    }

    fn sibling(&self) -> Result<Box<dyn Store>, ReplayError> {
        Ok(Box::new(Self { pending: Pending::default(), ..self.clone() }))
    }

    fn interrupter(&self) -> Arc<dyn Interrupt> {
        Arc::new(self.pending.clone())
    }

    fn migrate(&mut self) -> Result<usize, ReplayError> {
        self.refuse()
    }

    fn append_chunks(&mut self, _chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
        self.refuse()
    }

    fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, ReplayError> {
        from_ipc(self.post("/query", sql)?).map_err(|error| self.fail(error.to_string()))
    }

    fn ask(&self, statement: &Statement<'_>, values: &[&str]) -> Result<Vec<RecordBatch>, ReplayError> {
        let mut batches = self.query(&with_literals(statement.duckdb, values))?;
        batches.retain(|batch| batch.num_rows() > 0);
        Ok(batches)
    }

    fn change(&self, _statements: &Statement<'_>, _values: &[&str]) -> Result<(), ReplayError> {
        self.refuse()
    }

    fn insert(&self, _table: TableName, _batch: RecordBatch) -> Result<(), ReplayError> {
        self.refuse()
    }

    fn replace(
        &self,
        _table: TableName,
        _column: &'static str,
        _values: &[&str],
        _batch: Option<RecordBatch>,
    ) -> Result<(), ReplayError> {
        self.refuse()
    }

    fn replace_scores(&self, _first_ms: i64, _last_ms: i64, _batches: Vec<RecordBatch>) -> Result<(), ReplayError> {
        self.refuse()
    }

    fn inputs(&self) -> Result<Vec<InputRecord>, ReplayError> {
        let mut records = Vec::new();
        for batch in self.query(sql::INPUTS)? {
            let text = |column: usize, row: usize| {
                let array = batch.columns().get(column).and_then(|array| array.as_string_opt::<i32>());
                array.filter(|array| row < array.len()).map(|array| array.value(row).to_owned()).unwrap_or_default()
            };
            let int = |column: usize, row: usize| {
                let array = batch.columns().get(column).and_then(|array| array.as_primitive_opt::<Int64Type>());
                array.filter(|array| row < array.len()).map(|array| array.value(row)).unwrap_or_default()
            };
            records.extend((0..batch.num_rows()).map(|row| InputRecord {
                content_hash: text(0, row),
                kind: text(1, row),
                name: text(2, row),
                bytes: int(3, row),
                records: int(4, row),
                damaged: int(5, row),
                state: if text(6, row) == "complete" { InputState::Complete } else { InputState::Started },
                first_ns: int(7, row),
                last_ns: int(8, row),
                skew_ns: int(9, row),
                run_id: text(10, row),
                detail: text(11, row),
            }));
        }
        Ok(records)
    }

    fn record_inputs(&self, _inputs: &[InputRecord]) -> Result<(), ReplayError> {
        self.refuse()
    }

    fn record_run(&self, _run: &RunRecord) -> Result<(), ReplayError> {
        self.refuse()
    }

    fn digest(&self, contents: Contents) -> Result<String, ReplayError> {
        let what = match contents {
            Contents::Rows => "rows",
            Contents::Features => "features",
            Contents::Scores => "scores",
        };
        let bytes = self.post(&format!("/digest/{what}"), "")?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    fn checkpoint(&self) -> Result<(), ReplayError> {
        self.refuse()
    }
}

/// Batches as one Arrow IPC stream.
///
/// # Errors
/// Arrow's refusal.
pub fn to_ipc(batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let Some(first) = batches.first() else { return Ok(bytes) };
    let mut writer = StreamWriter::try_new(&mut bytes, &first.schema())?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

fn from_ipc(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, ArrowError> {
    let reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    let schema = reader.schema();
    let mut batches = reader.collect::<Result<Vec<_>, _>>()?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}

/// The statement with each `?` outside quotes and comments replaced by a quoted value.
fn with_literals(text: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['?', '\'', '"', '-']) {
        let (before, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let mut chars = found.chars();
        let first = chars.next();
        let skipped = match first {
            Some('?') => {
                out.push_str(&format!("'{}'", values.next().unwrap_or(&"").replace('\'', "''")));
                1
            }
            Some(quote @ ('\'' | '"')) => {
                let end = chars.as_str().find(quote).map_or(found.len(), |end| end.saturating_add(2));
                out.push_str(found.get(..end).unwrap_or_default());
                end
            }
            _ if found.starts_with("--") => {
                let end = found.find('\n').unwrap_or(found.len());
                out.push_str(found.get(..end).unwrap_or_default());
                end
            }
            _ => {
                out.push('-');
                1
            }
        };
        rest = found.get(skipped..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::with_literals;

    #[test]
    fn values_stand_where_the_question_marks_stood_and_nowhere_else() {
        let text = "-- why? 'a\nSELECT '?', \"?\", a - b FROM t WHERE x = ? AND y = CAST(? AS BIGINT)";
        let full = "-- why? 'a\nSELECT '?', \"?\", a - b FROM t WHERE x = 'it''s; --' AND y = CAST('5' AS BIGINT)";
        assert_eq!(with_literals(text, &["it's; --", "5"]), full);
        assert_eq!(with_literals("SELECT 1", &[]), "SELECT 1");
    }
}
