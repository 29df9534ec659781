//! Names for JA4 values: exact tables first, then families by structure, because exact values age with every release.
//!
//! Promises: a value in no table and of no known structure has no name. A family may be several names joined by `|` that share one
//! TLS stack and cannot be told apart.
//!
//! Read next: `datasets/reference/ja4_family.csv`, `claims.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use super::csv::lines;
use crate::error::JoinError;
use crate::row::Text;

const EXACT: &str = "ja4,family,os,version_range,source,licence,date";
const FAMILY: &str = "kind,transport,version,cipher_hash,min_extensions,max_extensions,alpn,family,source,date";

#[derive(Debug, Clone)]
struct Structure {
    is_bot: bool,
    transport: Option<char>,
    version: Option<String>,
    cipher_hash: String,
    extensions: std::ops::RangeInclusive<u32>,
    alpn: Option<String>,
    family: Text,
}

/// Names by JA4.
#[derive(Debug, Clone)]
pub struct Ja4Table {
    browsers: HashMap<String, Text>,
    bots: HashMap<String, Text>,
    structures: Vec<Structure>,
}

/// What a JA4 is known as; empty where it is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Ja4Names {
    /// Browser family.
    pub browser: Text,
    /// Tool.
    pub bot: Text,
}

impl Ja4Table {
    /// Reads the three tables, given as file name and text.
    ///
    /// # Errors
    /// The first damaged line.
    pub fn new(browsers: (&str, &str), bots: (&str, &str), families: (&str, &str)) -> Result<Self, JoinError> {
        let mut structures = Vec::new();
        for line in lines(families.0, families.1, FAMILY)? {
            let any = |column: usize| Some(line.value(column)).filter(|value| *value != "*").map(str::to_owned);
            let is_bot = match line.value(0) {
                "browser" => false,
                "bot" => true,
                other => return Err(line.damaged(format!("kind {other:?}; allowed are browser and bot"))),
            };
            structures.push(Structure {
                is_bot,
                transport: any(1).and_then(|value| value.chars().next()),
                version: any(2),
                cipher_hash: line.value(3).to_owned(),
                extensions: line.number(4, "a number of extensions")?..=line.number(5, "a number of extensions")?,
                alpn: any(6),
                family: line.value(7).into(),
            });
        }
        Ok(Self { browsers: exact(browsers)?, bots: exact(bots)?, structures })
    }

    /// What `ja4` is known as.
    #[must_use]
    pub fn names(&self, ja4: &str, empty: &Text) -> Ja4Names {
        let exact = |table: &HashMap<String, Text>| table.get(ja4).map(Arc::clone);
        let (browser, bot) = (exact(&self.browsers), exact(&self.bots));
        if browser.is_some() || bot.is_some() {
            return Ja4Names { browser: browser.unwrap_or_else(|| empty.clone()), bot: bot.unwrap_or_else(|| empty.clone()) };
        }
        let mut names = Ja4Names { browser: empty.clone(), bot: empty.clone() };
        if let Some(structure) = self.structures.iter().find(|structure| structure.fits(ja4)) {
            let name = if structure.is_bot { &mut names.bot } else { &mut names.browser };
            *name = Arc::clone(&structure.family);
        }
        names
    }
}

impl Structure {
    /// JA4 is `t13d1516h2_<ciphers>_<extensions>`: transport, version, SNI, cipher and extension counts, first ALPN.
    fn fits(&self, ja4: &str) -> bool {
        let mut parts = ja4.split('_');
        let (Some(a), Some(b)) = (parts.next(), parts.next()) else { return false };
        let same = |wanted: Option<&str>, range: std::ops::Range<usize>| wanted.is_none_or(|wanted| a.get(range) == Some(wanted));
        let count = a.get(6..8).and_then(|digits| digits.parse::<u32>().ok());
        b == self.cipher_hash
            && self.transport.is_none_or(|wanted| a.starts_with(wanted))
            && same(self.version.as_deref(), 1..3)
            && same(self.alpn.as_deref(), 8..10)
            && count.is_some_and(|count| self.extensions.contains(&count))
    }
}

fn exact(table: (&str, &str)) -> Result<HashMap<String, Text>, JoinError> {
    let mut map = HashMap::new();
    for line in lines(table.0, table.1, EXACT)? {
        if line.value(0).split('_').count() != 3 || line.value(1).is_empty() {
            return Err(line.damaged(format!("{:?} is no JA4 with a family; a JA4 has three parts joined by _", line.value(0))));
        }
        if map.insert(line.value(0).to_owned(), Text::from(line.value(1))).is_some() {
            return Err(line.damaged(format!("{} stands here for the second time; join its families by |", line.value(0))));
        }
    }
    Ok(map)
}
