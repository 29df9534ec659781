//! The command line: `--config`, `--check`, `--dump`, `--help`, `--version`, and one flag for each key of the configuration.
//!
//! Promises: nothing is opened here; a flag's value is read as what its key holds (text, number, switch, list).
//!
//! Read next: `config.rs`.

use std::ffi::OsString;
use std::path::PathBuf;

use ja4_replay::live::Stream;
use toml::{Table, Value};

use crate::config::{self, HELP};

/// What was given beside the configuration file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Keys that were given as flags.
    pub flags: Table,
}

/// What was asked for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Help or version.
    Print(String),
    /// Print the effective configuration.
    Check(Given),
    /// Print what the journal holds of a stream.
    Dump(Given, Stream),
    /// Run.
    Run(Given),
}

/// Takes the arguments apart. The error is one sentence without its end.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut args = args.map(|arg| arg.into_string().map_err(|arg| format!("{} is not UTF-8", arg.display())));
    let defaults = config::defaults();
    let mut given = Given::default();
    let (mut check, mut dump) = (false, None);
    while let Some(arg) = args.next().transpose()? {
        let (name, mut attached) = match arg.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (arg.clone(), None),
        };
        let mut value = || match attached.take() {
            Some(value) => Ok(value),
            None => args.next().transpose()?.ok_or_else(|| format!("{name} needs a value")),
        };
        match name.as_str() {
            "-h" | "--help" => return Ok(Command::Print(help(&defaults))),
            "-V" | "--version" => return Ok(Command::Print(format!("ja4-correlator {}\n", env!("CARGO_PKG_VERSION")))),
            "--check" => check = true,
            "--dump" => {
                dump = Some(match value()?.as_str() {
                    "http" => Stream::Http,
                    "network" => Stream::Network,
                    other => return Err(format!("--dump {other}: allowed are http and network")),
                });
            }
            "-c" | "--config" => given.file = Some(PathBuf::from(value()?)),
            flag => {
                let key = flag.strip_prefix("--").map(|key| key.replace('-', "_")).unwrap_or_default();
                let kind = defaults.get(&key).ok_or_else(|| format!("{flag} is no flag"))?;
                let value = match kind {
                    Value::Boolean(_) => Value::Boolean(switch(flag, attached.as_deref())?),
                    Value::Integer(_) => Value::Integer(number(flag, &value()?)?),
                    Value::Array(_) => list(&given.flags, &key, &value()?),
                    _ => Value::String(value()?),
                };
                given.flags.insert(key, value);
            }
        }
    }
    Ok(match dump {
        _ if check => Command::Check(given),
        Some(stream) => Command::Dump(given, stream),
        None => Command::Run(given),
    })
}

/// A repeated list grows.
fn list(flags: &Table, key: &str, text: &str) -> Value {
    let before = flags.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let more = text.split(',').map(|part| Value::String(part.trim().to_owned()));
    Value::Array(before.into_iter().chain(more).collect())
}

fn switch(flag: &str, attached: Option<&str>) -> Result<bool, String> {
    match attached {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(format!("{flag}={other}: allowed are {flag}, {flag}=true and {flag}=false")),
    }
}

fn number(flag: &str, text: &str) -> Result<i64, String> {
    text.replace('_', "").parse().map_err(|_| format!("{flag} {text}: this is no whole number"))
}

fn help(defaults: &Table) -> String {
    let mut text = String::from(
        "Joins the events of mod_reqin_log and ja4-sentinel and writes rows.\n\n\
         usage: ja4-correlator [--config FILE] [--check | --dump STREAM] [--KEY VALUE]...\n\n\
         \x20 -c, --config FILE   settings (TOML); a flag wins over the file\n\
         \x20     --check         validate, print the effective settings, and end\n\
         \x20     --dump STREAM   print the events of http or network in the journal as JSON lines, and end\n\
         \x20 -h, --help          this list\n\
         \x20 -V, --version       version\n\n\
         Settings, as keys of the file and as flags (`-` and `_` are the same in a flag):\n",
    );
    for (key, what) in HELP {
        let value = match defaults.get(*key) {
            Some(Value::Boolean(_)) => "[=true|false]",
            Some(Value::Integer(_)) => " NUMBER",
            Some(Value::Array(_)) => " A,B,...",
            _ => " TEXT",
        };
        let flag = format!("--{}{value}", key.replace('_', "-"));
        text.push_str(&format!("  {flag:<32} {what}\n"));
    }
    text.push_str(
        "\nSignals: SIGTERM and SIGINT end it after everything that waits was decided; SIGHUP reads the settings again.\n\
         Exit status: 0 done, 1 failed, 2 wrong usage.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn flags_are_read_as_what_their_keys_hold() {
        let Ok(Command::Check(given)) =
            run("--check -c a.toml --sync-ms=50 --stdout --http-users a,b --http-users c --file x.jsonl")
        else {
            panic!("not taken apart")
        };
        assert_eq!(given.file, Some(PathBuf::from("a.toml")));
        let list = ["a", "b", "c"].map(|name| Value::String(name.to_owned())).to_vec();
        assert_eq!(given.flags["http_users"], Value::Array(list));
        assert_eq!((&given.flags["sync_ms"], &given.flags["stdout"]), (&Value::Integer(50), &Value::Boolean(true)));
    }

    #[test]
    fn wrong_usage_is_said_and_help_names_every_key() {
        assert_eq!(run("--sync"), Err("--sync is no flag".to_owned()));
        assert_eq!(run("--sync-ms many"), Err("--sync-ms many: this is no whole number".to_owned()));
        assert_eq!(run("--file"), Err("--file needs a value".to_owned()));
        let Ok(Command::Print(text)) = run("--help") else { panic!("no help") };
        for key in config::defaults().keys() {
            assert!(text.contains(&format!("--{}", key.replace('_', "-"))), "{key} is not in the help");
        }
    }
}
