//! Every setting with its default: built in, then the file, then the flags.
//!
//! Promises: an unknown key or a wrong value is told with file and line, or flag, and what is allowed; what `--check` prints can be read
//! back and means the same.
//!
//! Read next: `run.rs`, packaging/correlator.example.toml.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ja4_replay::live::clock::Delays;
use ja4_replay::live::daemon::{LiveConfig, LogConfig};
use ja4_replay::live::http;
use ja4_replay::live::reload::Tunable;
use ja4_replay::live::sinks::FileConfig;
use ja4_replay::live::socket::SocketConfig;
use ja4_replay::spool::{Limits, WhenFull};
use ja4_replay::store;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::args::Given;

/// Keys whose change takes effect at SIGHUP.
const LIVE: [&str; 12] = [
    "http_users",
    "network_users",
    "sync_ms",
    "store_every_ms",
    "file",
    "file_rotate_mib",
    "file_keep",
    "http_delay_ms",
    "network_delay_ms",
    "reference",
    "stop_ms",
    "log_level",
];
/// `sun_path` of the address of a UNIX socket, less the zero that ends it.
const LONGEST_SOCKET_PATH_BYTES: usize = 107;
const MS_NS: i64 = 1_000_000;
const MIB: u64 = 1 << 20;

/// Every setting. Texts that are empty mean "none".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// See [`HELP`], as for all of them.
    pub http_socket: String,
    pub http_group: String,
    pub http_users: Vec<String>,
    pub network_socket: String,
    pub network_group: String,
    pub network_users: Vec<String>,
    pub http_logs: Vec<String>,
    pub http_format: String,
    pub http_skew_ms: i64,
    pub spool: PathBuf,
    pub journal_mib: u64,
    pub outbox_mib: u64,
    pub queue_mib: u64,
    pub sync_ms: i64,
    pub store: String,
    pub store_every_ms: i64,
    pub file: String,
    pub file_rotate_mib: u64,
    pub file_keep: u32,
    pub stdout: bool,
    pub window_ms: i64,
    pub keepalive_ms: i64,
    pub http_delay_ms: i64,
    pub network_delay_ms: i64,
    pub reference: String,
    pub stop_ms: i64,
    pub listen: String,
    pub user: String,
    pub group: String,
    pub log_level: LogLevel,
}

/// Least important lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures.
    Error,
    /// And what should be known.
    Warn,
    /// And what happens.
    #[default]
    Info,
}

/// One line about each key, in the order of `--help`.
pub const HELP: &[(&str, &str)] = &[
    ("http_socket", "UNIX datagram socket of mod_reqin_log; empty for none"),
    ("http_group", "group that may write there (Apache's)"),
    ("http_users", "users whose events are taken beside root, us and the group"),
    ("network_socket", "UNIX datagram socket of ja4-sentinel; empty for none"),
    ("network_group", "group that may write there (the sentinel's)"),
    ("network_users", "users whose events are taken beside root, us and the group"),
    ("http_logs", "growing logs to follow through their rotations, for sites without the module"),
    ("http_format", "their format: auto, reqin, combined, common or an Apache LogFormat string"),
    ("http_skew_ms", "their clock less this machine's"),
    ("spool", "folder of the journal and the outbox"),
    ("journal_mib", "bound of the journal; half of it is kept to remember handshakes over a restart"),
    ("outbox_mib", "bound of the outbox; delivered rows are kept up to it, to rebuild a store from"),
    ("queue_mib", "bound of what waits in memory between two threads"),
    ("sync_ms", "how long events are gathered for one fsync"),
    ("store", "database: a DuckDB file or clickhouse://user@host:port; empty for none"),
    ("store_every_ms", "how long rows are gathered for one insert"),
    ("file", "JSON lines of rows are appended here; empty for none"),
    ("file_rotate_mib", "rotate it at this size"),
    ("file_keep", "rotated files that are kept"),
    ("stdout", "rows as JSON lines on standard output"),
    ("window_ms", "how long a request waits for its handshake, and the reverse"),
    ("keepalive_ms", "how long a connection may be silent before its port counts as free"),
    ("http_delay_ms", "longest request that is joined in order; rows come out that much and the window later"),
    ("network_delay_ms", "how late a handshake may be told of"),
    ("reference", "folder of reference tables instead of the built-in ones"),
    ("stop_ms", "how long sinks may take at the end; what they have not taken by then stays in the outbox"),
    ("listen", "loopback address of /health, /ready and /metrics; empty for none"),
    ("user", "whom to become once the sockets are bound; empty for `ja4`, else `nobody`"),
    ("group", "group to become; empty for the user's own"),
    ("log_level", "error, warn or info"),
];

impl Default for Config {
    fn default() -> Self {
        Self {
            http_socket: "/run/ja4-platform/http.socket".to_owned(),
            http_group: String::new(),
            http_users: Vec::new(),
            network_socket: "/run/ja4-platform/network.socket".to_owned(),
            network_group: String::new(),
            network_users: Vec::new(),
            http_logs: Vec::new(),
            http_format: "auto".to_owned(),
            http_skew_ms: 0,
            spool: PathBuf::from("/var/lib/ja4-platform/spool"),
            journal_mib: 512,
            outbox_mib: 2048,
            queue_mib: 64,
            sync_ms: 100,
            store: String::new(),
            store_every_ms: 1000,
            file: String::new(),
            file_rotate_mib: 256,
            file_keep: 8,
            stdout: false,
            window_ms: 10_000,
            keepalive_ms: 3_600_000,
            http_delay_ms: 20_000,
            network_delay_ms: 8_000,
            reference: String::new(),
            stop_ms: 30_000,
            listen: "127.0.0.1:9464".to_owned(),
            user: String::new(),
            group: String::new(),
            log_level: LogLevel::Info,
        }
    }
}

/// The defaults as a table: what each key holds.
pub fn defaults() -> Table {
    Table::try_from(Config::default()).unwrap_or_default()
}

/// Puts the settings together. The error is one sentence.
pub fn load(given: &Given) -> Result<Config, String> {
    let mut table = defaults();
    if let Some(path) = &given.file {
        let text = std::fs::read_to_string(path).map_err(|error| format!("read {}: {error}", path.display()))?;
        // Read as a whole first, because only that tells the line of a mistake.
        toml::from_str::<Config>(&text).map_err(|error| format!("{}: {}", path.display(), one_line(&error, &text)))?;
        let own: Table = toml::from_str(&text).map_err(|error| format!("{}: {}", path.display(), one_line(&error, &text)))?;
        table.extend(own);
    }
    given.flags.iter().try_for_each(|(key, value)| check_flag(key, value))?;
    table.extend(given.flags.clone());
    let place = match &given.file {
        Some(path) if given.flags.is_empty() => path.display().to_string(),
        Some(path) => format!("{} and the command line", path.display()),
        None => "the command line".to_owned(),
    };
    let config: Config =
        Value::Table(table).try_into().map_err(|error: toml::de::Error| format!("{place}: {}", error.message()))?;
    config.check().map_err(|why| format!("{place}: {why}"))?;
    Ok(config)
}

/// Whether a flag's value is one that its key may hold.
fn check_flag(key: &str, value: &Value) -> Result<(), String> {
    let table = Table::from_iter([(key.to_owned(), value.clone())]);
    Value::Table(table).try_into::<Config>().map(drop).map_err(|error| {
        let why = match error.message() {
            text if text.contains("expected u") => "this may not be negative, nor that large".to_owned(),
            text => text.trim().replace('\n', " "),
        };
        format!("--{} {}: {why}", key.replace('_', "-"), value.to_string().trim_matches('"'))
    })
}

/// The spool that is named, whatever else is: for looking at it.
pub fn spool_of(given: &Given) -> PathBuf {
    let file = given.file.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    let file: Option<Table> = file.and_then(|text| toml::from_str(&text).ok());
    let named = [Some(&given.flags), file.as_ref()].into_iter().flatten().find_map(|table| table.get("spool")?.as_str());
    named.map_or_else(|| Config::default().spool, PathBuf::from)
}

fn one_line(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    // A value of the wrong kind is told of without its key, which stands before it on the line.
    let key = before.rsplit('\n').next().and_then(|begin| begin.split_once('=')).map_or("", |(key, _)| key.trim());
    let key = if key.is_empty() { String::new() } else { format!("`{key}`: ") };
    format!("line {}: {key}{}", before.matches('\n').count().saturating_add(1), error.message().replace('\n', " "))
}

impl Config {
    /// The effective settings as a file that can be read back.
    pub fn to_toml(&self) -> String {
        let table = Table::try_from(self).unwrap_or_default();
        let mut text = String::new();
        for (key, _) in HELP {
            if let Some(value) = table.get(*key) {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text
    }

    fn check(&self) -> Result<(), String> {
        let inputs = [&self.http_socket, &self.network_socket];
        if inputs.iter().all(|path| path.is_empty()) && self.http_logs.is_empty() {
            return Err("nothing to read from: give `http_socket`, `network_socket` or `http_logs`".to_owned());
        }
        if self.store.is_empty() && self.file.is_empty() && !self.stdout {
            return Err("nowhere to write to: give `store`, `file` or `stdout`".to_owned());
        }
        for (key, value, least, most) in [
            ("sync_ms", self.sync_ms, 1, 10_000),
            ("store_every_ms", self.store_every_ms, 0, 600_000),
            ("window_ms", self.window_ms, 1, 600_000),
            ("keepalive_ms", self.keepalive_ms, 1, 86_400_000),
            ("http_delay_ms", self.http_delay_ms, 0, 600_000),
            ("network_delay_ms", self.network_delay_ms, 0, 600_000),
            ("http_skew_ms", self.http_skew_ms, -120_000, 120_000),
            ("stop_ms", self.stop_ms, 0, 600_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("`{key}` is {value}; allowed are {least} to {most}"));
            }
        }
        for (key, value) in [("journal_mib", self.journal_mib), ("outbox_mib", self.outbox_mib), ("queue_mib", self.queue_mib)] {
            if !(8..=1 << 20).contains(&value) {
                return Err(format!("`{key}` is {value}; allowed are 8 to 1048576"));
            }
        }
        if self.file_rotate_mib == 0 {
            return Err("`file_rotate_mib` is 0; at least 1 is needed".to_owned());
        }
        self.http_format.parse::<ja4_join::httplog::Format>().map_err(|error| format!("`http_format`: {error}"))?;
        store::check_name(self.store.as_ref()).map_err(|error| format!("`store`: {error}"))?;
        if !self.http_socket.is_empty() && self.http_socket == self.network_socket {
            return Err(format!("`http_socket` and `network_socket` are both {}; each needs its own", self.http_socket));
        }
        for (key, path) in [("http_socket", &self.http_socket), ("network_socket", &self.network_socket)] {
            if path.len() > LONGEST_SOCKET_PATH_BYTES {
                return Err(format!("`{key}` is {} bytes long; the system allows {LONGEST_SOCKET_PATH_BYTES}", path.len()));
            }
        }
        match self.address()? {
            Some(address) if !address.ip().is_loopback() => Err(http::not_loopback(address)),
            _ => Ok(()),
        }
    }

    /// Where figures are shown.
    pub fn address(&self) -> Result<Option<SocketAddr>, String> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        let address =
            self.listen.parse().map_err(|_| format!("`listen` is {:?}; write an address such as 127.0.0.1:9464", self.listen))?;
        Ok(Some(address))
    }

    /// The file sink, if there is one.
    pub fn file(&self) -> Option<FileConfig> {
        let rotate_bytes = self.file_rotate_mib.saturating_mul(MIB);
        (!self.file.is_empty()).then(|| FileConfig { path: PathBuf::from(&self.file), rotate_bytes, keep: self.file_keep })
    }

    /// What the library needs.
    pub fn live(&self) -> Result<LiveConfig, String> {
        let socket = |path: &str, group: &str, users: &[String]| {
            let group = Some(group.to_owned()).filter(|group| !group.is_empty());
            (!path.is_empty()).then(|| SocketConfig { path: PathBuf::from(path), group, users: users.to_vec() })
        };
        let format = self.http_format.parse().map_err(|error| format!("`http_format`: {error}"))?;
        let options = ja4_join::httplog::HttpLogOptions { format, ..Default::default() };
        let log = |path: &String| LogConfig {
            path: PathBuf::from(path),
            options: options.clone(),
            skew_ns: self.http_skew_ms.saturating_mul(MS_NS),
        };
        let journal = self.journal_mib.saturating_mul(MIB);
        let outbox = self.outbox_mib.saturating_mul(MIB);
        let correlator = ja4_join::correlate::CorrelatorConfig {
            window_ns: self.window_ms.saturating_mul(MS_NS),
            keepalive_max_ns: self.keepalive_ms.saturating_mul(MS_NS),
            ..Default::default()
        };
        Ok(LiveConfig {
            http: socket(&self.http_socket, &self.http_group, &self.http_users),
            network: socket(&self.network_socket, &self.network_group, &self.network_users),
            logs: self.http_logs.iter().map(log).collect(),
            spool: self.spool.clone(),
            journal: limits(journal, journal / 2),
            outbox: limits(outbox, outbox - outbox / 8),
            queue_bytes: usize::try_from(self.queue_mib.saturating_mul(MIB)).unwrap_or(usize::MAX),
            sync_ns: self.sync_ms.saturating_mul(MS_NS),
            correlator,
            delays: self.delays(),
            reference: self.reference(),
            stop_ns: self.stop_ms.saturating_mul(MS_NS),
        })
    }

    /// What the threads take while they run.
    pub fn tunable(&self) -> Tunable {
        Tunable {
            sync_ns: self.sync_ms.saturating_mul(MS_NS),
            delays: self.delays(),
            reference: self.reference(),
            store_gather_ns: self.store_every_ms.saturating_mul(MS_NS),
            file: self.file(),
            users: [self.http_users.clone(), self.network_users.clone()],
            stop_ns: self.stop_ms.saturating_mul(MS_NS),
        }
    }

    fn delays(&self) -> Delays {
        let (http_ms, network_ms) = (self.http_delay_ms, self.network_delay_ms);
        Delays { http_ns: http_ms.saturating_mul(MS_NS), network_ns: network_ms.saturating_mul(MS_NS) }
    }

    fn reference(&self) -> Option<PathBuf> {
        (!self.reference.is_empty()).then(|| PathBuf::from(&self.reference))
    }

    /// Takes what can change at run time over from `fresh`. Gives the keys that changed, and those whose change needs a restart.
    pub fn take_over(&mut self, fresh: &Self) -> (Vec<&'static str>, Vec<&'static str>) {
        let table = |config: &Self| Table::try_from(config).unwrap_or_default();
        let (ours, theirs) = (table(self), table(fresh));
        let changed = HELP.iter().map(|(key, _)| *key).filter(|key| ours.get(*key) != theirs.get(*key));
        // A file can become another one, but sinks do not come and go.
        let is_live = |key: &&str| LIVE.contains(key) && (*key != "file" || self.file.is_empty() == fresh.file.is_empty());
        let (live, restart): (Vec<_>, Vec<_>) = changed.partition(is_live);
        let mut merged = ours.clone();
        for key in &live {
            if let Some(value) = theirs.get(*key) {
                merged.insert((*key).to_owned(), value.clone());
            }
        }
        if let Ok(merged) = Value::Table(merged).try_into() {
            *self = merged;
        }
        (live, restart)
    }

    /// Folder that the user of the process must be able to write to.
    pub fn spool(&self) -> &Path {
        &self.spool
    }
}

fn limits(total_bytes: u64, keep_bytes: u64) -> Limits {
    let segment_bytes = (total_bytes / 16).clamp(1 << 20, 16 << 20);
    Limits { segment_bytes, total_bytes, keep_bytes, when_full: WhenFull::Refuse, batch_records: 256, batch_bytes: 16 << 20 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(file: Option<PathBuf>, flags: &str) -> Given {
        Given { file, flags: toml::from_str(flags).unwrap() }
    }

    #[test]
    fn what_is_printed_reads_back_the_same_and_every_key_has_help() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("correlator.toml");
        let config = load(&given(None, "stdout = true\nhttp_users = [\"a\\\"b\"]\nsync_ms = 7")).unwrap();
        std::fs::write(&path, config.to_toml()).unwrap();
        assert_eq!(load(&given(Some(path), "")).unwrap(), config);
        let mut keys: Vec<_> = HELP.iter().map(|(key, _)| (*key).to_owned()).collect();
        keys.sort();
        assert_eq!(keys, defaults().keys().cloned().collect::<Vec<_>>());
    }

    #[test]
    fn what_can_change_at_run_time_is_taken_over_and_the_rest_is_named() {
        let mut config = load(&given(None, "stdout = true\nfile = \"a\"\nwindow_ms = 5000")).unwrap();
        let fresh =
            load(&given(None, "stdout = true\nfile = \"b\"\nsync_ms = 7\nwindow_ms = 6000\nhttp_users = [\"x\"]")).unwrap();
        let (changed, restart) = config.take_over(&fresh);
        assert_eq!((changed, restart), (vec!["http_users", "sync_ms", "file"], vec!["window_ms"]));
        assert_eq!((config.sync_ms, config.window_ms, config.file.as_str()), (7, 5000, "b"));
        assert_eq!(config.take_over(&fresh), (vec![], vec!["window_ms"]), "what still waits is named again");
        let (changed, restart) = config.take_over(&Config { file: String::new(), ..config.clone() });
        assert_eq!((changed, restart), (vec![], vec!["file"]), "a sink does not go while it runs");
        assert!(LIVE.iter().all(|key| HELP.iter().any(|(known, _)| known == key)));
    }

    #[test]
    fn the_example_is_valid_and_says_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/correlator.example.toml");
        let config = load(&given(Some(path), "")).unwrap();
        let expected = Config { store: config.store.clone(), ..Config::default() };
        assert_eq!(config, expected);
        assert!(!config.store.is_empty());
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        let error = |text: &str| {
            std::fs::write(&path, text).unwrap();
            load(&given(Some(path.clone()), "")).unwrap_err()
        };
        assert!(error("stdout = true\nsync_md = 5").contains("c.toml: line 2: unknown field `sync_md`"));
        assert!(error("stdout = true\nsync_ms = \"a\"").contains("line 2: `sync_ms`: invalid type: string \"a\", expected i64"));
        assert!(error("stdout = true\nsync_ms = 0").contains("`sync_ms` is 0; allowed are 1 to 10000"));
        assert!(error("").contains("nowhere to write to"));
        let flag = |flags: &str| load(&given(None, flags)).unwrap_err();
        assert_eq!(flag("file_keep = -1"), "--file-keep -1: this may not be negative, nor that large");
        assert!(flag("log_level = \"debug\"").starts_with("--log-level debug: unknown variant `debug`, expected one of `error`"));
        assert!(error("stdout = true\nlisten = \"here\"").contains("write an address"));
        assert!(error("stdout = true\nlisten = \"0.0.0.0:9464\"").contains("only loopback addresses"));
        assert!(error("store = \"mysql://h\"").contains("nothing can be written to a \"mysql\" address"));
        assert!(error("store = \"clickhouse://u:secret@h\"").contains("a password in the address"));
        assert!(error("stdout = true\nhttp_socket = \"a\"\nnetwork_socket = \"a\"").contains("each needs its own"));
        let long = format!("stdout = true\nhttp_socket = \"/{}\"", "a".repeat(107));
        assert!(error(&long).contains("`http_socket` is 108 bytes long; the system allows 107"));
    }
}
