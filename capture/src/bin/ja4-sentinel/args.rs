//! The command line: `--config`, `--check`, `--help`, `--version`, and one flag for each key.
//!
//! Promises: nothing is read or opened here; a value is only split off and told from a switch. A list flag may be repeated and may
//! carry several values with commas between them.
//!
//! Read next: `keys.rs`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::keys::{self, KEYS, Kind, Value};

/// What to do about a wrong flag.
pub const HELP_HINT: &str = "`ja4-sentinel --help` lists every flag";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Help or version.
    Print(String),
    /// Listen, or read captures.
    Run {
        /// Keys that were given as flags, in order.
        flags: Vec<(String, Value)>,
        /// `--config`.
        config_file: Option<PathBuf>,
    },
    /// Validate and print.
    Check {
        /// As above.
        flags: Vec<(String, Value)>,
        /// As above.
        config_file: Option<PathBuf>,
    },
}

/// Takes the arguments apart. The error is one sentence without its end.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut args = args.map(|arg| arg.into_string().map_err(|arg| format!("{} is not UTF-8", arg.display())));
    let mut flags: Vec<(String, Value)> = Vec::new();
    let (mut config_file, mut check) = (None, false);
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
            "-h" | "--help" => return Ok(Command::Print(help())),
            "-V" | "--version" => return Ok(Command::Print(format!("ja4-sentinel {}\n", env!("CARGO_PKG_VERSION")))),
            "--check" => check = true,
            "-c" | "--config" => config_file = Some(PathBuf::from(value()?)),
            flag => {
                let key = match flag {
                    "-i" => "interfaces".to_owned(),
                    flag => flag.strip_prefix("--").map(|key| key.replace('-', "_")).unwrap_or_default(),
                };
                let Some(kind) = keys::kind(&key) else { return Err(format!("{flag} is no flag")) };
                let value = match kind {
                    Kind::Switch => Value::Switch(switch(flag, attached.as_deref())?),
                    Kind::Number => Value::Number(number(flag, &value()?)?),
                    Kind::Text => Value::Text(value()?),
                    Kind::List => Value::List(value()?.split(',').map(|part| part.trim().to_owned()).collect()),
                };
                add(&mut flags, key, value);
            }
        }
    }
    Ok(if check { Command::Check { flags, config_file } } else { Command::Run { flags, config_file } })
}

/// A repeated list grows; anything else is replaced.
fn add(flags: &mut Vec<(String, Value)>, key: String, value: Value) {
    match (flags.iter_mut().find(|(name, _)| *name == key), value) {
        (Some((_, Value::List(list))), Value::List(more)) => list.extend(more),
        (Some((_, old)), value) => *old = value,
        (None, value) => flags.push((key, value)),
    }
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

fn help() -> String {
    let mut text = String::from(
        "Sends the handshakes seen on the wire as JSON events.\n\n\
         usage: ja4-sentinel [--config FILE] [--check] [--KEY VALUE]...\n\n\
         \x20 -c, --config FILE   settings (TOML); a flag wins over the file\n\
         \x20     --check         validate, print the effective settings, and end\n\
         \x20 -h, --help          this list\n\
         \x20 -V, --version       version\n\n\
         Settings, as keys of the file and as flags (-i is short for --interfaces; `-` and `_` are the same in a flag):\n",
    );
    for key in &KEYS {
        let value = match key.kind {
            Kind::Switch => "[=true|false]",
            Kind::Number => " NUMBER",
            Kind::Text => " TEXT",
            Kind::List => " A,B,...",
        };
        let flag = format!("--{}{value}", key.name.replace('_', "-"));
        text.push_str(&format!("  {flag:<30} {}\n", key.help));
    }
    text.push_str(
        "\nSignals: SIGTERM, SIGINT and SIGHUP end it with a flush; SIGUSR1 prints a line of figures to standard error.\n\
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
    fn lists_grow_and_switches_need_no_value() {
        let Ok(Command::Run { flags, config_file }) =
            run("-c a.toml -i eth0 --interfaces eth1,eth2 --promiscuous --snap-length-bytes=1_000")
        else {
            panic!("not taken apart")
        };
        assert_eq!(config_file, Some(PathBuf::from("a.toml")));
        let interfaces = ["eth0", "eth1", "eth2"].map(str::to_owned).to_vec();
        let expected = [
            ("interfaces".to_owned(), Value::List(interfaces)),
            ("promiscuous".to_owned(), Value::Switch(true)),
            ("snap_length_bytes".to_owned(), Value::Number(1000)),
        ];
        assert_eq!(flags, expected);
    }

    #[test]
    fn wrong_usage_is_said() {
        assert_eq!(run("--interface"), Err("--interface is no flag".to_owned()));
        assert_eq!(run("--socket"), Err("--socket needs a value".to_owned()));
        assert_eq!(run("--queue-bytes many"), Err("--queue-bytes many: this is no whole number".to_owned()));
        assert_eq!(run("eth0"), Err("eth0 is no flag".to_owned()));
        let error = run("--immediate=yes").unwrap_err();
        assert_eq!(error, "--immediate=yes: allowed are --immediate, --immediate=true and --immediate=false");
    }

    #[test]
    fn help_names_every_key() {
        let text = help();
        for key in &KEYS {
            assert!(text.contains(&format!("--{}", key.name.replace('_', "-"))), "{}", key.name);
        }
    }
}
