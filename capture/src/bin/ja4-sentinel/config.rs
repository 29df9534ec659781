//! The settings together: defaults, then the file, then the flags; checked as a whole.
//!
//! Promises: an error names the file and line, or the flag, the key, and what is allowed; `to_toml` can be read back.
//!
//! Read next: `keys.rs`, `file.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ja4_capture::Limits;
use ja4_capture::live::LiveConfig;
use ja4_capture::privilege::Target;

use crate::addresses::AddressFilter;
use crate::file;
use crate::keys::{self, Value};

/// Where a reader listens unless told otherwise.
const DEFAULT_SOCKET: &str = "/run/ja4-platform/network.socket";
const DEFAULT_QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputKind {
    /// One datagram each.
    #[default]
    Socket,
    /// One line each.
    Stdout,
    /// One line each, appended.
    File,
}

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Interfaces and how to listen on them.
    pub live: LiveConfig,
    /// Captures to read instead.
    pub read: Vec<PathBuf>,
    /// Which events are sent.
    pub filter: AddressFilter,
    /// Where to.
    pub output: OutputKind,
    /// The reader's socket.
    pub socket: PathBuf,
    /// The file.
    pub file: Option<PathBuf>,
    /// Bound of what waits for the socket's reader.
    pub queue_bytes: usize,
    /// Whom to become.
    pub target: Target,
    /// Bounds of the sensor.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            live: LiveConfig::default(),
            read: Vec::new(),
            filter: AddressFilter::default(),
            output: OutputKind::default(),
            socket: PathBuf::from(DEFAULT_SOCKET),
            file: None,
            queue_bytes: DEFAULT_QUEUE_BYTES,
            target: Target::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// The effective settings as a file that can be read back.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut in_limits = false;
        for (name, value) in keys::get(self) {
            let name = match name.strip_prefix("limits.") {
                Some(limit) => {
                    if !std::mem::replace(&mut in_limits, true) {
                        text.push_str("\n[limits]\n");
                    }
                    limit
                }
                None => &name,
            };
            let value = match value {
                Value::Text(value) => toml::Value::String(value),
                Value::Number(value) => toml::Value::Integer(value),
                Value::Switch(value) => toml::Value::Boolean(value),
                Value::List(values) => toml::Value::Array(values.into_iter().map(toml::Value::String).collect()),
            };
            text.push_str(&format!("{name} = {value}\n"));
        }
        text
    }

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self { live, read, .. } if live.interfaces.is_empty() && read.is_empty() => {
                Err("`interfaces` is empty; name at least one, such as interfaces = [\"eth0\"], or give captures with --read")
            }
            Self { live, read, .. } if !live.interfaces.is_empty() && !read.is_empty() => {
                Err("both `interfaces` and `read` are given; allowed is one of them")
            }
            Self { live, .. } if live.interfaces.iter().collect::<BTreeSet<_>>().len() < live.interfaces.len() => {
                Err("`interfaces` names one twice; its packets would be seen twice")
            }
            Self { output: OutputKind::File, file: None, .. } => Err("`output` is \"file\" but `file` names none"),
            _ => Ok(()),
        }
    }
}

/// Puts the settings together. The error is one sentence.
pub fn load(config_file: Option<&Path>, flags: &[(String, Value)]) -> Result<Config, String> {
    let mut config = Config::default();
    if let Some(path) = config_file {
        file::read(path, &mut config)?;
    }
    // Captures that are named on the command line stand in for the file's interfaces.
    if flags.iter().any(|(name, _)| name == "read") && !flags.iter().any(|(name, _)| name == "interfaces") {
        config.live.interfaces.clear();
    }
    for (name, value) in flags {
        keys::set(&mut config, name, value.clone()).map_err(|why| format!("--{}: {why}", name.replace('_', "-")))?;
    }
    let place = config_file.map_or_else(|| "the command line".to_owned(), |path| path.display().to_string());
    config.check().map_err(|why| format!("{place}: {why}"))?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sentinel.toml");
        let flags = [
            ("interfaces".to_owned(), Value::List(vec!["eth0".into(), "a\"b".into()])),
            ("include".to_owned(), Value::List(vec!["10.0.0.0/8".into(), "2001:db8::1".into()])),
            ("bpf".to_owned(), Value::Text("tcp port 443".into())),
            ("limits.flows".to_owned(), Value::Number(7)),
        ];
        let config = load(None, &flags).unwrap();
        std::fs::write(&path, config.to_toml()).unwrap();
        assert_eq!(load(Some(&path), &[]).unwrap(), config);
    }

    #[test]
    fn a_flag_wins_over_the_file_and_captures_over_interfaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sentinel.toml");
        std::fs::write(&path, "interfaces = [\"eth0\"]\noutput = \"stdout\"\n").unwrap();
        let config = load(Some(&path), &[("output".to_owned(), Value::Text("socket".into()))]).unwrap();
        assert_eq!((config.output, config.live.interfaces.len()), (OutputKind::Socket, 1));
        let config = load(Some(&path), &[("read".to_owned(), Value::List(vec!["a.pcap".into()]))]).unwrap();
        assert_eq!((config.read.len(), config.live.interfaces.len()), (1, 0));
        let error = load(None, &[]).unwrap_err();
        assert!(error.starts_with("the command line: `interfaces` is empty; name at least one"), "{error}");
    }
}
