//! What a path asks for: an asset, an API, a login, robots.txt, or something only probes want.
//!
//! Promises: a pure function of the path and of the rule table; case and one level of %XX do not hide anything; linear in the path.
//!
//! Read next: `datasets/reference/path_rules.csv` and `asset_extensions.csv`, `enricher.rs`.

use std::collections::HashMap;

use memchr::memmem::Finder;

use super::csv::lines;
use crate::error::JoinError;

/// Paths are classified by their beginning only beyond this, so that a hostile path costs no more than a long one.
const MAX_LOOKED_AT_BYTES: usize = 4096;

/// What a path is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathFacts {
    /// Index into [`ASSET_KINDS`]; 0 is none.
    pub asset: u8,
    /// An API call.
    pub api: bool,
    /// A login, sign-in or password path.
    pub login: bool,
    /// robots.txt and its kin.
    pub robots: bool,
    /// Asked for by probes only.
    pub sensitive: bool,
    /// Slashes.
    pub depth: u32,
}

/// Texts of `asset_kind`.
pub const ASSET_KINDS: [&str; 7] = ["", "css", "js", "image", "font", "media", "other"];

#[derive(Debug, Clone, Copy)]
enum Class {
    Api,
    Login,
    Robots,
    Sensitive,
}

/// The rules, compiled.
#[derive(Debug, Clone)]
pub struct PathRules {
    extensions: HashMap<String, u8>,
    segments: HashMap<String, Vec<Class>>,
    firsts: HashMap<String, Vec<Class>>,
    suffixes: Vec<(String, Class)>,
    contained: Vec<(Finder<'static>, Class)>,
}

impl PathRules {
    /// Compiles the two tables, given as file name and text.
    ///
    /// # Errors
    /// The first damaged line.
    pub fn new(rules: (&str, &str), extensions: (&str, &str)) -> Result<Self, JoinError> {
        let mut compiled = Self {
            extensions: HashMap::new(),
            segments: HashMap::new(),
            firsts: HashMap::new(),
            suffixes: Vec::new(),
            contained: Vec::new(),
        };
        for line in lines(extensions.0, extensions.1, "extension,kind")? {
            let kind = ASSET_KINDS.iter().position(|kind| !kind.is_empty() && *kind == line.value(1));
            let kind = kind.and_then(|kind| u8::try_from(kind).ok());
            let kind =
                kind.ok_or_else(|| line.damaged(format!("kind {:?}; allowed are {}", line.value(1), ASSET_KINDS.join(" "))))?;
            compiled.extensions.insert(line.value(0).to_ascii_lowercase(), kind);
        }
        for line in lines(rules.0, rules.1, "class,match,pattern")? {
            let class = match line.value(0) {
                "api" => Class::Api,
                "login" => Class::Login,
                "robots" => Class::Robots,
                "sensitive" => Class::Sensitive,
                other => return Err(line.damaged(format!("class {other:?}; allowed are api, login, robots, sensitive"))),
            };
            let pattern = line.value(2).to_ascii_lowercase();
            if pattern.is_empty() {
                return Err(line.damaged("the pattern is empty".to_owned()));
            }
            match line.value(1) {
                "segment" => compiled.segments.entry(pattern).or_default().push(class),
                "first" => compiled.firsts.entry(pattern).or_default().push(class),
                "suffix" => compiled.suffixes.push((pattern, class)),
                "contains" => compiled.contained.push((Finder::new(pattern.as_bytes()).into_owned(), class)),
                other => return Err(line.damaged(format!("match {other:?}; allowed are segment, first, contains, suffix"))),
            }
        }
        Ok(compiled)
    }

    /// Classifies a path (without query).
    #[must_use]
    pub fn classify(&self, path: &str) -> PathFacts {
        let mut facts = PathFacts { depth: slashes(path), ..PathFacts::default() };
        let plain = decoded_lower(path);
        for (index, segment) in plain.split('/').filter(|segment| !segment.is_empty()).enumerate() {
            let stem = segment.rsplit_once('.').map_or(segment, |(stem, _)| stem);
            let mut found = |map: &HashMap<String, Vec<Class>>, name: &str| {
                map.get(name).into_iter().flatten().for_each(|class| facts.mark(*class));
            };
            found(&self.segments, segment);
            if stem != segment {
                found(&self.segments, stem);
            }
            if index == 0 {
                found(&self.firsts, segment);
            }
        }
        for (suffix, class) in &self.suffixes {
            if plain.ends_with(suffix.as_str()) {
                facts.mark(*class);
            }
        }
        for (finder, class) in &self.contained {
            if finder.find(plain.as_bytes()).is_some() {
                facts.mark(*class);
            }
        }
        let last = plain.rsplit('/').next().unwrap_or("");
        if let Some((_, extension)) = last.rsplit_once('.') {
            facts.asset = self.extensions.get(extension).copied().unwrap_or(0);
        }
        facts
    }
}

impl PathFacts {
    fn mark(&mut self, class: Class) {
        match class {
            Class::Api => self.api = true,
            Class::Login => self.login = true,
            Class::Robots => self.robots = true,
            Class::Sensitive => self.sensitive = true,
        }
    }
}

fn slashes(path: &str) -> u32 {
    u32::try_from(path.bytes().filter(|byte| *byte == b'/').count()).unwrap_or(u32::MAX)
}

/// The path in lower case with %XX decoded once; what is not UTF-8 then becomes the replacement character.
fn decoded_lower(path: &str) -> String {
    let mut head = path.len().min(MAX_LOOKED_AT_BYTES);
    while !path.is_char_boundary(head) {
        head -= 1;
    }
    let mut rest = path.get(..head).unwrap_or(path);
    let mut out = Vec::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once('%') {
        out.extend(before.bytes().map(|byte| byte.to_ascii_lowercase()));
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte.to_ascii_lowercase());
                rest = after.get(2..).unwrap_or("");
            }
            None => {
                out.push(b'%');
                rest = after;
            }
        }
    }
    out.extend(rest.bytes().map(|byte| byte.to_ascii_lowercase()));
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::tables::Tables;

    #[test]
    fn paths_are_what_a_reader_would_call_them() {
        let tables = Tables::embedded().unwrap();
        let show = |path: &str| {
            let f = tables.paths.classify(path);
            let mut words = vec![ASSET_KINDS[usize::from(f.asset)]];
            for (set, word) in [(f.api, "api"), (f.login, "login"), (f.robots, "robots"), (f.sensitive, "sensitive")] {
                if set {
                    words.push(word);
                }
            }
            words.retain(|word| !word.is_empty());
            words.join(" ")
        };
        for (path, expected) in [
            ("/", ""),
            ("/articles/loginov", ""),
            ("/style/main.CSS", "css"),
            ("/a/b.min.js", "js"),
            ("/fonts/x.woff2", "font"),
            ("/api/v1/items", "api"),
            ("/shop/api/items", "api"),
            ("/apis", ""),
            ("/login", "login"),
            ("/account/login.php", "login"),
            ("/wp-login.php", "login sensitive"),
            ("/.env", "sensitive"),
            ("/%2e%65nv", "sensitive"),
            ("/app/.git/config", "sensitive"),
            ("/environment", ""),
            ("/site.sql.gz", "sensitive"),
            ("/robots.txt", "robots"),
            ("/docs/robots.txt", ""),
            ("/.well-known/security.txt", "robots"),
            ("*", ""),
            ("/100%", ""),
            ("/%zz/%ff", ""),
        ] {
            assert_eq!(show(path), expected, "{path}");
        }
        assert_eq!(tables.paths.classify("/a/b/").depth, 3);
    }
}
