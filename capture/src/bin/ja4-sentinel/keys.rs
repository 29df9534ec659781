//! Every setting, once: name, kind, help, how it is set and how it is shown. The file, the flags, `--help` and `--check` follow it.
//!
//! Promises: [`set`] and [`get`] know every key of [`KEYS`] (a test sets each to what is shown); an error says what is allowed.
//!
//! Read next: `config.rs`, `packaging/sentinel.example.toml`.

use std::path::PathBuf;

use ja4_capture::Limits;
use ja4_capture::live::MAX_INTERFACES;
use ja4_capture::privilege::Sandbox;

use crate::addresses::{Network, Side};
use crate::config::{Config, OutputKind};

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// A list of strings.
    List,
}

/// A value of a setting, as given.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Switch(bool),
    /// A list of strings.
    List(Vec<String>),
}

/// A setting.
#[derive(Debug)]
pub struct Key {
    /// In the file and, with two dashes, on the command line.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// One line.
    pub help: &'static str,
}

const fn key(name: &'static str, kind: Kind, help: &'static str) -> Key {
    Key { name, kind, help }
}

/// Bytes of a UNIX socket's path, `sun_path` without its end.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The settings, in the order of the help. Each bound of `docs/LIMITS.md` is one more, as `limits.NAME`.
pub const KEYS: [Key; 18] = [
    key("interfaces", Kind::List, "interfaces to listen on; any means all"),
    key("read", Kind::List, "captures to read instead (files, folders, - for standard input)"),
    key("bpf", Kind::Text, "packet filter in libpcap's language; none is set without it"),
    key("snap_length_bytes", Kind::Number, "bytes kept of each packet, 64 to 262144"),
    key("buffer_bytes", Kind::Number, "the kernel's ring for each interface, 65536 to 2147483647"),
    key("promiscuous", Kind::Switch, "take frames addressed to others"),
    key("immediate", Kind::Switch, "have each packet at once, for more room in the ring per packet"),
    key("include", Kind::List, "networks whose events are sent; empty means all"),
    key("exclude", Kind::List, "networks whose events are not sent; wins over include"),
    key("match", Kind::Text, "whose address include and exclude look at: client, server or either"),
    key("output", Kind::Text, "socket, stdout or file"),
    key("socket", Kind::Text, "path of the reader's UNIX datagram socket"),
    key("file", Kind::Text, "file to append JSON lines to"),
    key("queue_bytes", Kind::Number, "events kept while the socket's reader is absent or slow, 65536 to 1073741824"),
    key("user", Kind::Text, "user to become when started as root; ja4 or else nobody"),
    key("group", Kind::Text, "group to take then; the user's own"),
    key("sandbox", Kind::Text, "Landlock and seccomp: best-effort, required or off"),
    key("limits.NAME", Kind::Number, "a bound of the sensor, see docs/LIMITS.md"),
];

/// The kind of a key's value, if there is such a key.
pub fn kind(name: &str) -> Option<Kind> {
    match name.strip_prefix("limits.") {
        Some(limit) => limits_json(&Limits::default()).contains_key(limit).then_some(Kind::Number),
        None => KEYS.iter().find(|key| key.name == name).map(|key| key.kind),
    }
}

/// Names of all keys, for messages.
pub fn names(prefix: &str) -> String {
    let limits = limits_json(&Limits::default());
    let names = match prefix {
        "limits." => limits.keys().map(String::as_str).collect::<Vec<_>>(),
        _ => KEYS.iter().map(|key| key.name.strip_suffix(".NAME").unwrap_or(key.name)).collect(),
    };
    names.join(", ")
}

/// Sets one key. The error is what is wrong and what is allowed, without the key's name.
pub fn set(config: &mut Config, name: &str, value: Value) -> Result<(), String> {
    let Some(kind) = kind(name) else { return Err(format!("there is no such key; allowed are {}", names(""))) };
    match (name, value) {
        ("interfaces", Value::List(list)) => {
            if list.len() > MAX_INTERFACES {
                return Err(format!("{} interfaces are too many; allowed are {MAX_INTERFACES}", list.len()));
            }
            config.live.interfaces = list;
        }
        ("read", Value::List(list)) => config.read = list.into_iter().map(PathBuf::from).collect(),
        ("bpf", Value::Text(text)) => {
            if !text.is_empty() {
                ja4_capture::live::check_filter(&text).map_err(|error| error.to_string())?;
            }
            config.live.filter = Some(text).filter(|text| !text.is_empty());
        }
        ("snap_length_bytes", Value::Number(n)) => config.live.snap_length_bytes = within(n, 64, 262_144)?,
        ("buffer_bytes", Value::Number(n)) => config.live.buffer_bytes = within(n, 65_536, i32::MAX.into())?,
        ("promiscuous", Value::Switch(on)) => config.live.promiscuous = on,
        ("immediate", Value::Switch(on)) => config.live.immediate = on,
        ("include", Value::List(list)) => config.filter.include = networks(&list)?,
        ("exclude", Value::List(list)) => config.filter.exclude = networks(&list)?,
        ("match", Value::Text(text)) => config.filter.side = one_of(&text, &SIDES)?,
        ("output", Value::Text(text)) => config.output = one_of(&text, &OUTPUTS)?,
        ("socket", Value::Text(text)) => {
            if text.is_empty() || text.len() > MAX_SOCKET_PATH_BYTES {
                return Err(format!("a socket's path has 1 to {MAX_SOCKET_PATH_BYTES} bytes, this one has {}", text.len()));
            }
            config.socket = PathBuf::from(text);
        }
        ("file", Value::Text(text)) => config.file = Some(text).filter(|text| !text.is_empty()).map(PathBuf::from),
        ("queue_bytes", Value::Number(n)) => config.queue_bytes = within(n, 65_536, 1 << 30)?,
        ("user", Value::Text(text)) => config.target.user = Some(text).filter(|text| !text.is_empty()),
        ("group", Value::Text(text)) => config.target.group = Some(text).filter(|text| !text.is_empty()),
        ("sandbox", Value::Text(text)) => config.target.sandbox = one_of(&text, &SANDBOXES)?,
        (limit, Value::Number(n)) if limit.starts_with("limits.") => set_limit(&mut config.limits, limit, n)?,
        (_, value) => return Err(format!("{} is given, {} is needed", of(&value), described(kind))),
    }
    Ok(())
}

/// The value of each key, in order; limits last.
pub fn get(config: &Config) -> Vec<(String, Value)> {
    let live = &config.live;
    let optional = |text: &Option<String>| Value::Text(text.clone().unwrap_or_default());
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let networks = |list: &[Network]| Value::List(list.iter().map(ToString::to_string).collect());
    let mut all = vec![
        ("interfaces", Value::List(live.interfaces.clone())),
        ("read", Value::List(config.read.iter().map(|file| path(file)).collect())),
        ("bpf", optional(&live.filter)),
        ("snap_length_bytes", Value::Number(live.snap_length_bytes.into())),
        ("buffer_bytes", Value::Number(live.buffer_bytes.into())),
        ("promiscuous", Value::Switch(live.promiscuous)),
        ("immediate", Value::Switch(live.immediate)),
        ("include", networks(&config.filter.include)),
        ("exclude", networks(&config.filter.exclude)),
        ("match", Value::Text(name_of(config.filter.side, &SIDES))),
        ("output", Value::Text(name_of(config.output, &OUTPUTS))),
        ("socket", Value::Text(path(&config.socket))),
        ("file", Value::Text(config.file.as_deref().map(path).unwrap_or_default())),
        ("queue_bytes", Value::Number(i64::try_from(config.queue_bytes).unwrap_or(i64::MAX))),
        ("user", optional(&config.target.user)),
        ("group", optional(&config.target.group)),
        ("sandbox", Value::Text(name_of(config.target.sandbox, &SANDBOXES))),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect::<Vec<_>>();
    for (name, value) in limits_json(&config.limits) {
        all.push((format!("limits.{name}"), Value::Number(value.as_i64().unwrap_or(i64::MAX))));
    }
    all
}

const SIDES: [(&str, Side); 3] = [("client", Side::Client), ("server", Side::Server), ("either", Side::Either)];
const OUTPUTS: [(&str, OutputKind); 3] =
    [("socket", OutputKind::Socket), ("stdout", OutputKind::Stdout), ("file", OutputKind::File)];
const SANDBOXES: [(&str, Sandbox); 3] =
    [("best-effort", Sandbox::BestEffort), ("required", Sandbox::Required), ("off", Sandbox::Off)];

fn one_of<T: Copy>(text: &str, allowed: &[(&str, T)]) -> Result<T, String> {
    let found = allowed.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    let names = || allowed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("{text:?} is not allowed; allowed are {}", names()))
}

fn name_of<T: PartialEq>(value: T, allowed: &[(&str, T)]) -> String {
    allowed.iter().find(|(_, other)| *other == value).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

fn within<T: TryFrom<i64>>(number: i64, least: i64, most: i64) -> Result<T, String> {
    let fits = Some(number).filter(|n| (least..=most).contains(n)).and_then(|n| T::try_from(n).ok());
    fits.ok_or_else(|| format!("{number} is not allowed; allowed are {least} to {most}"))
}

fn networks(list: &[String]) -> Result<Vec<Network>, String> {
    list.iter().map(|text| text.parse()).collect()
}

fn limits_json(limits: &Limits) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(limits) {
        Ok(serde_json::Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}

fn set_limit(limits: &mut Limits, name: &str, number: i64) -> Result<(), String> {
    let mut json = limits_json(limits);
    let name = name.strip_prefix("limits.").unwrap_or(name);
    if number < 1 {
        return Err(format!("{number} is not allowed; a bound is at least 1"));
    }
    json.insert(name.to_owned(), number.into());
    *limits = serde_json::from_value(json.into()).map_err(|_| format!("{number} is too large for this bound"))?;
    Ok(())
}

fn of(value: &Value) -> &'static str {
    described(match value {
        Value::Text(_) => Kind::Text,
        Value::Number(_) => Kind::Number,
        Value::Switch(_) => Kind::Switch,
        Value::List(_) => Kind::List,
    })
}

fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a text in quotes",
        Kind::Number => "a whole number",
        Kind::Switch => "true or false",
        Kind::List => "a list of texts such as [\"a\", \"b\"]",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_can_be_set_to_what_is_shown() {
        let mut config = Config::default();
        let shown = get(&config);
        assert_eq!(shown.len(), KEYS.len() - 1 + limits_json(&Limits::default()).len());
        for (name, value) in shown {
            assert!(kind(&name).is_some(), "{name}");
            set(&mut config, &name, value).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert_eq!(config, Config::default());
    }

    #[test]
    fn errors_say_what_is_allowed() {
        let mut config = Config::default();
        let mut error = |name, value| set(&mut config, name, value).unwrap_err();
        assert_eq!(error("snap_length_bytes", Value::Number(3)), "3 is not allowed; allowed are 64 to 262144");
        assert_eq!(error("output", Value::Text("tcp".into())), "\"tcp\" is not allowed; allowed are socket, stdout, file");
        assert_eq!(error("promiscuous", Value::Number(1)), "a whole number is given, true or false is needed");
        assert_eq!(error("limits.flows", Value::Number(0)), "0 is not allowed; a bound is at least 1");
        assert_eq!(error("limits.tunnel_depth", Value::Number(900)), "900 is too large for this bound");
        assert!(error("bpf", Value::Text("tcp prt".into())).starts_with("the packet filter \"tcp prt\" is not one: "));
    }
}
