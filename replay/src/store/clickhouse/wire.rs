//! The connection to the server: the `clickhouse` crate on a thread of its own, behind calls that wait.
//!
//! Promises: a call may come from any thread, also from inside another async runtime; every call ends within the address's
//! timeout; an answer is checked to its end, so a server that fails in the middle is an error and never a shorter result.
//!
//! Read next: `arrow.rs` (what is read), `append.rs` (what is written).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clickhouse::error::Error;
use clickhouse::{Client, Compression};
use duckdb::arrow::array::RecordBatch;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::address::Address;
use super::arrow;
use crate::ReplayError;
use crate::store::interrupt::{Interrupt, Pending};

/// Rows that are encoded and sent together: each time costs a header for every column.
const ROWS_SENT_AT_ONCE: usize = 4096;
/// A shard that does not answer is an error, whatever a user's profile says, and never a shorter result.
const WHOLE_ANSWER: &[(&str, &str)] = &[("skip_unavailable_shards", "0")];

/// A statement with the values of its `{p0:…}`, `{p1:…}`, ….
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub operation: &'static str,
    pub text: String,
    pub values: Vec<Value>,
    pub settings: Vec<(&'static str, &'static str)>,
}

/// A value beside a statement, never inside it.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Texts(Vec<String>),
}

impl Call {
    pub fn new(operation: &'static str, text: impl Into<String>) -> Self {
        Self { operation, text: text.into(), values: Vec::new(), settings: Vec::new() }
    }

    pub fn value(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }

    pub fn texts(mut self, values: &[&str]) -> Self {
        self.values.extend(values.iter().map(|value| Value::Text((*value).to_owned())));
        self
    }

    /// Changes nothing, and ends on the server as well when nobody waits for its answer any more.
    pub fn reading(self) -> Self {
        self.setting("readonly", "1").setting("cancel_http_readonly_queries_on_client_close", "1")
    }

    /// The same for a text of ours that may also ask other servers: changes nothing stored, but table functions are open to it.
    pub fn reading_spread(self) -> Self {
        self.setting("readonly", "2").setting("cancel_http_readonly_queries_on_client_close", "1")
    }

    pub fn setting(mut self, name: &'static str, value: &'static str) -> Self {
        self.settings.push((name, value));
        self
    }
}

/// The client and the thread that drives its connections.
pub(super) struct Wire {
    client: Client,
    driver: Arc<Driver>,
    label: String,
    timeout: Duration,
    /// The one call that is waited for.
    pending: Pending,
}

/// Ends its thread when the last user is gone.
struct Driver {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl Driver {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("clickhouse".to_owned()).spawn(move || {
            // Ends when the sender is dropped.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, _stop: stop })
    }
}

impl Wire {
    pub fn new(address: &Address) -> Result<Self, ReplayError> {
        let label = address.label();
        let driver = Driver::start().map_err(|error| ReplayError::Engine {
            operation: "start the connection thread",
            path: label.clone().into(),
            detail: error.to_string(),
        })?;
        let client = Client::default()
            .with_url(address.url())
            .with_user(&address.user)
            .with_password(address.password()?)
            .with_compression(if address.compress { Compression::Lz4 } else { Compression::None })
            .with_product_info("ja4-platform", env!("CARGO_PKG_VERSION"));
        Ok(Self { client, driver: Arc::new(driver), label, timeout: address.timeout, pending: Pending::default() })
    }

    /// A second connection, interrupted by itself.
    pub fn sibling(&self) -> Self {
        let (client, driver, label) = (self.client.clone(), Arc::clone(&self.driver), self.label.clone());
        Self { client, driver, label, timeout: self.timeout, pending: Pending::default() }
    }

    pub fn interrupter(&self) -> Arc<dyn Interrupt> {
        Arc::new(self.pending.clone())
    }

    pub fn label(&self) -> &str {
        &self.label
    }

    /// Runs a statement that gives nothing.
    pub fn run(&self, call: Call) -> Result<(), ReplayError> {
        let (operation, query) = (call.operation, self.query(call));
        self.wait(operation, async move { query.execute().await })
    }

    /// Runs a statement and hands each batch of its answer to `each`; at least one comes, empty or not.
    pub fn fetch<S: Send + 'static>(
        &self,
        call: Call,
        state: S,
        each: fn(&mut S, RecordBatch) -> Result<(), String>,
    ) -> Result<S, ReplayError> {
        let operation = call.operation;
        let settings = arrow::FORMAT_SETTINGS.iter().chain(WHOLE_ANSWER);
        let query = settings.fold(self.query(call), |query, (name, value)| query.with_setting(*name, *value));
        self.wait(operation, async move {
            let mut state = state;
            let mut reader = arrow::Reader::default();
            let mut answer = query.fetch_bytes(arrow::FORMAT)?;
            while let Some(chunk) = answer.next().await? {
                reader.push(chunk.to_vec(), |batch| each(&mut state, batch)).map_err(Error::Custom)?;
            }
            reader.finish(|batch| each(&mut state, batch)).map_err(Error::Custom)?;
            Ok(state)
        })
    }

    /// The whole answer.
    pub fn batches(&self, call: Call) -> Result<Vec<RecordBatch>, ReplayError> {
        let batches = self.fetch(call, Vec::new(), |all, batch| {
            all.push(batch);
            Ok(())
        })?;
        Ok(arrow::as_duckdb_gives_them(batches))
    }

    /// Sends an `INSERT … FORMAT ArrowStream` with its rows; when this returns, the server has stored them.
    pub fn insert(
        &self,
        operation: &'static str,
        statement: String,
        settings: Vec<(&'static str, String)>,
        batches: Vec<RecordBatch>,
    ) -> Result<(), ReplayError> {
        let timeout = Some(self.timeout);
        let insert = settings
            .into_iter()
            .fold(self.client.insert_formatted_with(statement), |insert, (name, value)| insert.with_setting(name, value));
        self.wait(operation, async move {
            let mut insert = insert.with_timeouts(timeout, timeout);
            let mut stream = arrow::Stream::default();
            // A few rows are encoded at a time, so that the wire form of the whole is never in memory; the server makes one block of them.
            for batch in batches {
                for first in (0..batch.num_rows()).step_by(ROWS_SENT_AT_ONCE) {
                    let rows = batch.slice(first, ROWS_SENT_AT_ONCE.min(batch.num_rows().saturating_sub(first)));
                    let bytes = stream.batch(&rows).map_err(|error| Error::Custom(error.to_string()))?;
                    insert.send(bytes.into()).await?;
                }
            }
            let bytes = stream.end().map_err(|error| Error::Custom(error.to_string()))?;
            insert.send(bytes.into()).await?;
            insert.end().await
        })
    }

    fn query(&self, call: Call) -> clickhouse::query::Query {
        let mut query = self.client.query_raw(&call.text);
        for (name, value) in call.settings {
            query = query.with_setting(name, value);
        }
        for (number, value) in call.values.into_iter().enumerate() {
            let name = format!("p{number}");
            query = match value {
                Value::Text(text) => query.param(&name, text),
                Value::Texts(texts) => query.param(&name, texts),
            };
        }
        query
    }

    fn wait<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, ReplayError> {
        let timeout = self.timeout;
        let answer = self.pending.wait(|done| {
            let task = self.driver.handle.spawn(async move {
                let result = tokio::time::timeout(timeout, work).await.unwrap_or(Err(Error::TimedOut));
                done.send(result);
            });
            // Dropping the request closes its connection; the server stops what it reads for it.
            move || task.abort()
        });
        let result = answer.map_err(|unanswered| unanswered.refusal(operation, &self.label))?;
        result.map_err(|error| refusal(operation, &self.label, &error))
    }
}

/// Error codes of a server that will answer later: too busy, out of memory for now, shutting down, or without its coordinator.
const TRANSIENT: &[u32] = &[159, 202, 203, 209, 210, 225, 236, 241, 242, 252, 279, 319, 425, 439, 999];
/// No space on the server's disk.
const NO_SPACE: &[u32] = &[243];
/// Wrong user or password.
const NO_ACCESS: &[u32] = &[192, 193, 194, 516];
/// The server's tables are not there.
const NO_SCHEMA: &[u32] = &[60, 81];

fn refusal(operation: &'static str, label: &str, error: &Error) -> ReplayError {
    let store = label.to_owned();
    match error {
        Error::Network(source) => ReplayError::Unreachable { operation, store, detail: innermost(source.as_ref()) },
        Error::TimedOut => ReplayError::Unreachable { operation, store, detail: "no answer in time".to_owned() },
        Error::BadResponse(text) => {
            let (code, detail) = (code_of(text), first_words(text));
            match code {
                Some(code) if TRANSIENT.contains(&code) => ReplayError::Unreachable { operation, store, detail },
                Some(code) if NO_SPACE.contains(&code) => ReplayError::DiskFull { operation, path: store.into() },
                Some(code) if NO_ACCESS.contains(&code) => ReplayError::Engine {
                    operation,
                    path: store.into(),
                    detail: format!(
                        "the server refuses this user or password (set {} or password-file): {detail}",
                        super::address::PASSWORD_VARIABLE
                    ),
                },
                Some(code) if NO_SCHEMA.contains(&code) && detail.contains("ja4_") => ReplayError::Engine {
                    operation,
                    path: store.into(),
                    detail: format!("{detail}; if nothing was ever stored there, run `ja4-lab db migrate --db ADDRESS` first"),
                },
                Some(_) => ReplayError::Engine { operation, path: store.into(), detail },
                // No word of ClickHouse's: something between, such as a proxy that answers 502.
                None => ReplayError::Unreachable { operation, store, detail },
            }
        }
        other => ReplayError::Engine { operation, path: store.into(), detail: first_words(&other.to_string()) },
    }
}

fn code_of(text: &str) -> Option<u32> {
    let digits = text.split("Code: ").nth(1)?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The first line without the code and the version, at most 400 characters; with the next where it only announces what follows, such as
/// which node of a cluster did not answer.
fn first_words(text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).map(bare);
    let first = lines.next().unwrap_or_default();
    let more = lines.next().filter(|_| first.ends_with(':')).unwrap_or_default();
    format!("{first} {more}").chars().take(400).collect::<String>().trim().to_owned()
}

/// A line of the server's without code and version.
fn bare(line: &str) -> &str {
    let line = ["DB::Exception: ", "DB::NetException: "].iter().find_map(|mark| Some(line.split_once(mark)?.1)).unwrap_or(line);
    line.split_once(" (version ").map_or(line, |(rest, _)| rest).trim()
}

/// The cause that the operating system named; the layers above only say "client error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> ReplayError {
        refusal("query", "clickhouse://u@h:1", &Error::BadResponse(text.to_owned()))
    }

    #[test]
    fn refusals_are_sorted_by_what_helps() {
        let busy = told("Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS) (version 24.8.1)");
        assert!(busy.is_transient(), "{busy}");
        assert!(told("502 Bad Gateway").is_transient());
        let full = told("Code: 243. DB::Exception: Cannot reserve 1.00 MiB. (NOT_ENOUGH_SPACE)");
        assert!(matches!(full, ReplayError::DiskFull { .. }), "{full}");
        let wrong =
            told("Code: 62. DB::Exception: Syntax error: failed at position 1 (x). (SYNTAX_ERROR) (version 24.8.14.39)\nmore");
        assert!(!wrong.is_transient());
        assert_eq!(wrong.to_string(), "query in clickhouse://u@h:1: Syntax error: failed at position 1 (x). (SYNTAX_ERROR)");
        let away = told(
            "Code: 279. DB::NetException: All connection tries failed. Log: \n\nCode: 210. DB::NetException: Connection refused (b:9000). (NETWORK_ERROR) (version 26.9.2.1)\nCode: 210.",
        );
        assert!(
            away.is_transient() && away.to_string().contains("(All connection tries failed. Log: Connection refused (b:9000)."),
            "{away}"
        );
        assert!(told("Code: 516. DB::Exception: u: Authentication failed").to_string().contains("JA4_CLICKHOUSE_PASSWORD"));
        assert!(told("Code: 60. DB::Exception: Table ja4_logs.http_logs does not exist").to_string().contains("db migrate"));
    }
}
