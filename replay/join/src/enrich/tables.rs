//! The reference tables: embedded when the program is built, each replaceable by a file of the same name in a directory.
//!
//! Promises: a table that is given but damaged is refused with file, line and what is allowed; nothing is fetched from a network.
//!
//! Read next: `datasets/reference`, where every table states its source, licence and date.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

use super::csv::lines;
use super::ip::{PrefixMap, parse_prefix};
use super::ja4_table::Ja4Table;
use super::path::PathRules;
use super::user_agent::UserAgentRules;
use crate::error::JoinError;
use crate::row::Text;

/// A replacement table larger than this is refused.
pub const MAX_TABLE_BYTES: u64 = 256 << 20;

/// An autonomous system.
#[derive(Debug, Clone, PartialEq)]
pub struct AsFacts {
    /// Number.
    pub asn: i64,
    /// Name.
    pub name: Text,
    /// Country of registration, ISO 3166.
    pub country: Text,
}

/// All reference tables, compiled.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Path rules.
    pub paths: PathRules,
    /// User-Agent rules.
    pub user_agents: UserAgentRules,
    /// Autonomous systems by address.
    pub systems: PrefixMap<AsFacts>,
    /// Published addresses of crawlers.
    pub bot_ips: PrefixMap<Text>,
    /// Names of JA4 values.
    pub ja4: Ja4Table,
    h2: HashMap<String, Text>,
}

const EMBEDDED: [(&str, &str); 10] = [
    ("asset_extensions.csv", include_str!("../../../../datasets/reference/asset_extensions.csv")),
    ("path_rules.csv", include_str!("../../../../datasets/reference/path_rules.csv")),
    ("user_agents.csv", include_str!("../../../../datasets/reference/user_agents.csv")),
    ("ua_systems.csv", include_str!("../../../../datasets/reference/ua_systems.csv")),
    ("asn.csv", include_str!("../../../../datasets/reference/asn.csv")),
    ("bot_ip.csv", include_str!("../../../../datasets/reference/bot_ip.csv")),
    ("ja4_browser.csv", include_str!("../../../../datasets/reference/ja4_browser.csv")),
    ("ja4_bot.csv", include_str!("../../../../datasets/reference/ja4_bot.csv")),
    ("ja4_family.csv", include_str!("../../../../datasets/reference/ja4_family.csv")),
    ("h2_browser.csv", include_str!("../../../../datasets/reference/h2_browser.csv")),
];

/// The text of a table that the program was built with, by its file's name.
#[must_use]
pub fn embedded_text(file: &str) -> Option<&'static str> {
    EMBEDDED.iter().find(|(name, _)| *name == file).map(|(_, text)| *text)
}

/// Name and text of a table.
struct Source {
    name: String,
    text: String,
}

impl Tables {
    /// The tables that the program was built with.
    ///
    /// # Errors
    /// Never in a build whose tests pass.
    pub fn embedded() -> Result<Self, JoinError> {
        Self::read(|file, text| Ok(Source { name: file.to_owned(), text: text.to_owned() }))
    }

    /// The same, each table replaced by the file of its name in `directory` where there is one.
    ///
    /// # Errors
    /// If the directory or a file in it cannot be read, or a table is damaged.
    pub fn load(directory: &Path) -> Result<Self, JoinError> {
        let unreadable = |path: &Path, source| JoinError::OpenReference { file: path.display().to_string(), source };
        std::fs::read_dir(directory).map_err(|source| unreadable(directory, source))?;
        Self::read(|file, embedded| {
            let path = directory.join(file);
            let name = path.display().to_string();
            match std::fs::File::open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Ok(Source { name: file.to_owned(), text: embedded.to_owned() })
                }
                Err(error) => Err(unreadable(&path, error)),
                Ok(open) => {
                    let mut bytes = Vec::new();
                    open.take(MAX_TABLE_BYTES + 1).read_to_end(&mut bytes).map_err(|source| unreadable(&path, source))?;
                    text_of(name, bytes)
                }
            }
        })
    }

    /// Browser family by HTTP/2 fingerprint.
    #[must_use]
    pub fn h2_browser(&self, h2: &str) -> Option<&Text> {
        if h2.contains(',') { self.h2.get(&h2.replace(',', ";")) } else { self.h2.get(h2) }
    }

    fn read(source: impl Fn(&str, &str) -> Result<Source, JoinError>) -> Result<Self, JoinError> {
        let [extensions, paths, agents, systems, asn, bot_ip, ja4_browser, ja4_bot, ja4_family, h2] = EMBEDDED;
        let get = |(file, text): (&str, &str)| source(file, text);
        let (extensions, paths, agents, systems) = (get(extensions)?, get(paths)?, get(agents)?, get(systems)?);
        let (browsers, bots, families) = (get(ja4_browser)?, get(ja4_bot)?, get(ja4_family)?);
        Ok(Self {
            paths: PathRules::new(paths.pair(), extensions.pair())?,
            user_agents: UserAgentRules::new(agents.pair(), systems.pair())?,
            systems: autonomous_systems(&get(asn)?)?,
            bot_ips: bot_ips(&get(bot_ip)?)?,
            ja4: Ja4Table::new(browsers.pair(), bots.pair(), families.pair())?,
            h2: h2_table(&get(h2)?)?,
        })
    }
}

impl Source {
    fn pair(&self) -> (&str, &str) {
        (&self.name, &self.text)
    }
}

fn text_of(name: String, bytes: Vec<u8>) -> Result<Source, JoinError> {
    if bytes.len() as u64 > MAX_TABLE_BYTES {
        let reason = format!("the file is larger than the {} MiB allowed", MAX_TABLE_BYTES >> 20);
        return Err(JoinError::Reference { file: name, line: 1, reason });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { name, text }),
        Err(error) => {
            let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
            Err(JoinError::Reference { file: name, line, reason: "the text is not UTF-8".to_owned() })
        }
    }
}

fn autonomous_systems(source: &Source) -> Result<PrefixMap<AsFacts>, JoinError> {
    let mut names: HashMap<String, Text> = HashMap::new();
    let mut shared = |text: &str| Text::clone(names.entry(text.to_owned()).or_insert_with(|| text.into()));
    let mut prefixes = Vec::new();
    for line in lines(&source.name, &source.text, "prefix,asn,as_name,country")? {
        let range = parse_prefix(line.value(0)).map_err(|reason| line.damaged(reason))?;
        let asn: u32 = line.number(1, "an AS number from 0 to 4294967295")?;
        prefixes.push((range, AsFacts { asn: i64::from(asn), name: shared(line.value(2)), country: shared(line.value(3)) }));
    }
    Ok(PrefixMap::new(prefixes))
}

fn bot_ips(source: &Source) -> Result<PrefixMap<Text>, JoinError> {
    let mut prefixes = Vec::new();
    for line in lines(&source.name, &source.text, "prefix,name,source,licence,date")? {
        let range = parse_prefix(line.value(0)).map_err(|reason| line.damaged(reason))?;
        prefixes.push((range, Text::from(line.value(1))));
    }
    Ok(PrefixMap::new(prefixes))
}

fn h2_table(source: &Source) -> Result<HashMap<String, Text>, JoinError> {
    let mut table = HashMap::new();
    for line in lines(&source.name, &source.text, "h2,family,source,licence,date")? {
        if line.value(0).split('|').count() != 4 {
            return Err(line.damaged("an HTTP/2 fingerprint has four parts joined by |".to_owned()));
        }
        table.insert(line.value(0).to_owned(), line.value(1).into());
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(file: &str, text: &[u8]) -> Result<Tables, JoinError> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(file), text).unwrap();
        Tables::load(directory.path())
    }

    #[test]
    fn a_table_of_ones_own_replaces_the_embedded_one_and_the_others_stay() {
        let tables = replaced("asn.csv", b"# mine\nprefix,asn,as_name,country\n192.0.2.0/24,64496,EXAMPLE,FR\n").unwrap();
        assert_eq!(tables.systems.get("192.0.2.7".parse().unwrap()).unwrap().asn, 64496);
        assert!(tables.systems.get("8.8.8.8".parse().unwrap()).is_none());
        assert_eq!(tables.bot_ips.get("66.249.66.1".parse().unwrap()).map(|name| &**name), Some("googlebot"));
    }

    #[test]
    fn a_damaged_table_is_refused_with_file_and_line() {
        for (file, text, line, says) in [
            ("asn.csv", &b"prefix,asn,as_name,country\n10.0.0.0/99,1,X,FR\n"[..], 2, "is no prefix"),
            ("asn.csv", b"prefix,asn,as_name,country\n\n10.0.0.0/8,x,X,FR\n", 3, "AS number"),
            ("asn.csv", b"network,asn\n", 1, "header"),
            ("asn.csv", b"", 1, "header"),
            ("bot_ip.csv", b"prefix,name,source,licence,date\n10.0.0.0/8,x\n", 2, "values"),
            ("ja4_bot.csv", b"ja4,family,os,version_range,source,licence,date\nabc,x,,,,,\n", 2, "JA4"),
            ("path_rules.csv", b"class,match,pattern\napi,regex,x\n", 2, "allowed are segment"),
            ("user_agents.csv", b"token,unless,class,family,version,stack\nx,,alien,,,\n", 2, "class"),
            ("h2_browser.csv", b"h2,family,source,licence,date\n1:2,x,,,\n", 2, "four parts"),
            ("asn.csv", b"prefix,asn,as_name,country\n10.0.0.0/8,1,\xff,FR\n", 2, "UTF-8"),
        ] {
            let message = replaced(file, text).map(|_| ()).unwrap_err().to_string();
            assert!(message.contains(file) && message.contains(&format!("line {line}")) && message.contains(says), "{message}");
        }
        assert!(Tables::load(Path::new("/nonexistent/tables")).is_err());
    }

    #[test]
    fn ja4_values_are_named_exactly_or_by_structure() {
        let tables = Tables::embedded().unwrap();
        let empty = Text::from("");
        let names = |ja4: &str| {
            let names = tables.ja4.names(ja4, &empty);
            (names.browser.to_string(), names.bot.to_string())
        };
        let pair = |browser: &str, bot: &str| (browser.to_owned(), bot.to_owned());
        assert_eq!(names("t13d1516h2_8daaf6152771_02713d6af862"), pair("chromium", ""));
        assert_eq!(names("t13d1519h2_8daaf6152771_ffffffffffff"), pair("chromium", ""));
        assert_eq!(names("t13d1599h2_8daaf6152771_ffffffffffff"), pair("", ""), "far more extensions than any Chromium");
        assert_eq!(names("t12d1516h2_8daaf6152771_ffffffffffff"), pair("", ""), "another TLS version");
        assert_eq!(names("t13d1715h2_5b57614c22b0_5c2c66f702b0"), pair("firefox", ""));
        assert_eq!(names("t13d190900_9dc949149365_97f8aa674fd9"), pair("", "sliver|go"));
        for hostile in ["", "_", "é_é_é", "t13d15é6h2_8daaf6152771_0"] {
            assert_eq!(names(hostile), pair("", ""));
        }
        assert_eq!(tables.h2_browser("1:65536,2:0,4:6291456,6:262144|15663105|0|m,a,s,p").map(|f| &**f), Some("chromium"));
    }
}
