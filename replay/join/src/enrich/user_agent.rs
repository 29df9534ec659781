//! Who a User-Agent claims to be: class, family, major version, system, and whose TLS and HTTP/2 stack that program uses.
//!
//! Promises: the first rule of an ordered table decides; a pure function; linear in the text. It is a claim, never a fact.
//!
//! Read next: `datasets/reference/user_agents.csv`, `claims.rs` (claims against facts).

use memchr::memmem::Finder;
use std::sync::Arc;

use super::csv::lines;
use crate::error::JoinError;
use crate::row::Text;

/// Texts beyond this are looked at no further.
const MAX_LOOKED_AT_BYTES: usize = 1024;
/// Texts of `ua_class`.
const CLASSES: [&str; 3] = ["browser", "bot", "library"];

/// What a User-Agent claims.
#[derive(Debug, Clone, PartialEq)]
pub struct UserAgent {
    /// `browser`, `bot`, `tool`, `library`, `other`, `none`.
    pub class: Text,
    /// Family; empty if none.
    pub family: Text,
    /// Major version of the family; -1 if none.
    pub major: i64,
    /// System; empty if none.
    pub os: Text,
    /// Whose TLS and HTTP/2 stack it uses; empty if not known.
    pub stack: Text,
    /// Version in `Chrome/…`, which Chromium's brand list repeats; -1 if none.
    pub chrome_major: i64,
    /// Whether it calls itself mobile.
    pub mobile: bool,
}

#[derive(Debug, Clone)]
struct Rule {
    token: Finder<'static>,
    unless: Vec<Finder<'static>>,
    class: Text,
    family: Text,
    version: String,
    stack: Text,
}

/// The ordered rules.
#[derive(Debug, Clone)]
pub struct UserAgentRules {
    rules: Vec<Rule>,
    systems: Vec<(Finder<'static>, Text)>,
    other: Text,
    none: Text,
    empty: Text,
}

impl UserAgentRules {
    /// Compiles the two tables, given as file name and text.
    ///
    /// # Errors
    /// The first damaged line.
    pub fn new(rules: (&str, &str), systems: (&str, &str)) -> Result<Self, JoinError> {
        let mut compiled = Vec::new();
        for line in lines(rules.0, rules.1, "token,unless,class,family,version,stack")? {
            let class = line.value(2);
            if !CLASSES.contains(&class) && class != "tool" {
                return Err(line.damaged(format!("class {class:?}; allowed are {} and tool", CLASSES.join(", "))));
            }
            compiled.push(Rule {
                token: finder(line.value(0)),
                unless: line.value(1).split('|').filter(|word| !word.is_empty()).map(finder).collect(),
                class: class.into(),
                family: line.value(3).into(),
                version: line.value(4).to_ascii_lowercase(),
                stack: line.value(5).into(),
            });
        }
        let systems = lines(systems.0, systems.1, "token,os")?;
        let systems = systems.iter().map(|line| (finder(line.value(0)), line.value(1).into())).collect();
        Ok(Self { rules: compiled, systems, other: "other".into(), none: "none".into(), empty: "".into() })
    }

    /// What `text` claims.
    #[must_use]
    pub fn parse(&self, text: &str) -> UserAgent {
        let head = text.bytes().take(MAX_LOOKED_AT_BYTES).map(|byte| byte.to_ascii_lowercase());
        let lower: Vec<u8> = head.collect();
        let has = |finder: &Finder<'_>| finder.find(&lower).is_some();
        let rule = self.rules.iter().find(|rule| has(&rule.token) && !rule.unless.iter().any(has));
        let os = self.systems.iter().find(|(token, _)| has(token)).map(|(_, os)| os);
        let class = match rule {
            Some(rule) => &rule.class,
            None if lower.is_empty() => &self.none,
            None => &self.other,
        };
        UserAgent {
            class: Arc::clone(class),
            family: Arc::clone(rule.map_or(&self.empty, |rule| &rule.family)),
            major: rule.map_or(-1, |rule| number_after(&lower, &rule.version)),
            os: Arc::clone(os.unwrap_or(&self.empty)),
            stack: Arc::clone(rule.map_or(&self.empty, |rule| &rule.stack)),
            chrome_major: number_after(&lower, "chrome/"),
            mobile: memchr::memmem::find(&lower, b"mobile").is_some(),
        }
    }
}

fn finder(word: &str) -> Finder<'static> {
    Finder::new(word.to_ascii_lowercase().as_bytes()).into_owned()
}

/// The whole number right after `prefix`; -1 if there is none or it is longer than six digits.
fn number_after(text: &[u8], prefix: &str) -> i64 {
    if prefix.is_empty() {
        return -1;
    }
    let Some(at) = memchr::memmem::find(text, prefix.as_bytes()) else { return -1 };
    let rest = text.get(at + prefix.len()..).unwrap_or_default();
    let digits: Vec<u8> = rest.iter().copied().take_while(u8::is_ascii_digit).take(7).collect();
    if digits.is_empty() || digits.len() > 6 {
        return -1;
    }
    digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use crate::enrich::tables::Tables;

    #[test]
    fn programs_are_known_by_what_they_send() {
        let tables = Tables::embedded().unwrap();
        for (text, expected) in [
            ("", "none||-1||"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
                "browser|chrome|138|windows|chromium",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
                "browser|edge|138|windows|chromium",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
                "browser|headless-chrome|120|linux|chromium",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 OPR/106.0.0.0",
                "browser|opera|106|windows|chromium",
            ),
            (
                "Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
                "browser|samsung|23|android|chromium",
            ),
            (
                "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                "browser|firefox|128|linux|firefox",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
                "browser|safari|17|macos|safari",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/123.0.6312.52 Mobile/15E148 Safari/604.1",
                "browser|chrome|123|ios|safari",
            ),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot|googlebot|2||"),
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
                "bot|bingbot|2||",
            ),
            ("curl/8.5.0", "tool|curl|8||curl"),
            ("Wget/1.21.4", "tool|wget|1||wget"),
            ("python-requests/2.31.0", "library|python-requests|2||python"),
            ("python-httpx/0.27.0", "library|httpx|0||python"),
            ("Python/3.11 aiohttp/3.9.1", "library|aiohttp|3||python"),
            ("Python-urllib/3.11", "library|urllib|3||python"),
            ("Go-http-client/2.0", "library|go-http-client|2||go"),
            ("Java/17.0.9", "library|java|17||java"),
            ("okhttp/4.12.0", "library|okhttp|4||java"),
            ("axios/1.6.2", "library|axios|1||node"),
            ("node", "library|node|-1||node"),
            ("libwww-perl/6.72", "library|libwww-perl|6||perl"),
            ("sqlmap/1.8#stable (https://sqlmap.org)", "tool|sqlmap|1||python"),
            ("Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:Port Check)", "tool|nikto|2||"),
            ("Fuzz Faster U Fool v2.1.0-dev", "tool|ffuf|2||go"),
            ("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "tool|nmap|-1||"),
            ("Mozilla/5.0 (compatible; SomethingBot/3.1)", "bot|other-bot|-1||"),
            ("mystery", "other||-1||"),
            ("curl/99999999999999999999", "tool|curl|-1||curl"),
        ] {
            let ua = tables.user_agents.parse(text);
            assert_eq!(format!("{}|{}|{}|{}|{}", ua.class, ua.family, ua.major, ua.os, ua.stack), expected, "{text}");
        }
    }
}
