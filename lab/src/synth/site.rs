//! What a site holds, as far as a log and a wire show it: paths, sizes, answers.
//!
//! Promises: a path's size is a function of the path; the shapes are those of the recorded site (`datasets/record/site`).
//!
//! Read next: `behaviour.rs` (who asks for what).

use super::rng::Stream;

/// Which header template a request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A page.
    Page,
    /// What a page pulls in.
    Asset,
    /// A call of the interface for programs.
    Api,
    /// A form that is sent.
    Form,
}

impl Purpose {
    /// All, in the order of [`Purpose::place`].
    pub const ALL: [Self; 4] = [Self::Page, Self::Asset, Self::Api, Self::Form];

    /// The name in the templates.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Asset => "asset",
            Self::Api => "api",
            Self::Form => "form",
        }
    }

    /// Place in [`Purpose::ALL`].
    #[must_use]
    pub fn place(self) -> usize {
        self as usize
    }
}

/// One thing that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Path.
    pub path: String,
    /// Query without `?`.
    pub query: String,
    /// Headers to ask with.
    pub purpose: Purpose,
    /// Answer.
    pub status: u16,
    /// Bytes of the answer.
    pub bytes: u32,
    /// How long the server works, microseconds.
    pub work_us: u32,
}

/// Paths that scanners try.
const PROBES: &[&str] = &[
    "/.env",
    "/.git/config",
    "/.git/HEAD",
    "/admin",
    "/admin/login",
    "/administrator",
    "/wp-login.php",
    "/wp-admin/",
    "/phpmyadmin/",
    "/phpinfo.php",
    "/info.php",
    "/config.php",
    "/backup.zip",
    "/backup.sql",
    "/dump.sql",
    "/db.sql",
    "/server-status",
    "/actuator/env",
    "/actuator/health",
    "/swagger.json",
    "/graphql",
    "/console",
    "/shell.php",
    "/cgi-bin/test.cgi",
    "/.htaccess",
    "/.svn/entries",
    "/old/",
    "/test/",
    "/dev/",
    "/staging/",
    "/tmp/",
    "/uploads/",
    "/private/",
    "/secret/",
    "/api/v1/users",
    "/api/internal",
    "/metrics",
    "/debug",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/owa/auth/logon.aspx",
    "/solr/admin/",
    "/manager/html",
    "/jenkins/",
    "/xmlrpc.php",
    "/web.config",
    "/id_rsa",
    "/.aws/credentials",
    "/.DS_Store",
    "/composer.json",
    "/package.json",
];

const WORDS: &[&str] =
    &["lamp", "chair", "blue", "wood", "table", "gift", "small", "garden", "book", "tea", "wool", "clock", "glass", "paper"];

/// A page, by number: products, articles, catalogue pages.
#[must_use]
pub fn page(number: u64) -> Target {
    let path = match number % 8 {
        0 if number == 0 => "/".to_owned(),
        1 | 2 => format!("/post/{number}"),
        3 => format!("/catalog/{}", number / 8),
        _ => format!("/product/{number}"),
    };
    made(path, String::new(), Purpose::Page, 200, 6_000, 18_000)
}

/// One asset of a page: the first few are the site's own, the others the page's pictures.
#[must_use]
pub fn asset(page: u64, place: u64) -> Target {
    let path = match place {
        0 => "/assets/site.css".to_owned(),
        1 => "/assets/app.js".to_owned(),
        2 => "/assets/font.woff2".to_owned(),
        3 => "/favicon.ico".to_owned(),
        _ => format!("/assets/img/p{}.jpg", page.wrapping_mul(7).wrapping_add(place) % 4000),
    };
    made(path, String::new(), Purpose::Asset, 200, 2_000, 60_000)
}

/// A search.
pub fn search(random: &mut Stream) -> Target {
    let mut word = || WORDS.get(usize::try_from(random.below(WORDS.len() as u64)).unwrap_or(0)).copied().unwrap_or("tea");
    let query = format!("q={}+{}", word(), word());
    made("/search".to_owned(), query, Purpose::Page, 200, 4_000, 12_000)
}

/// A call of the interface.
#[must_use]
pub fn call(number: u64) -> Target {
    let (path, query) = match number % 3 {
        0 => ("/api/stock".to_owned(), format!("id={number}")),
        1 => (format!("/api/product/{number}"), String::new()),
        _ => ("/api/products".to_owned(), format!("page={}", number / 3)),
    };
    made(path, query, Purpose::Api, 200, 200, 3_000)
}

/// One of the scanner's paths.
#[must_use]
pub fn probe(number: u64) -> Target {
    let place = usize::try_from(number).unwrap_or_default();
    let path = match PROBES.get(place % PROBES.len().max(1)) {
        Some(path) if place < PROBES.len() => (*path).to_owned(),
        Some(path) => format!("{}{}", path.trim_end_matches('/'), place / PROBES.len()),
        None => "/".to_owned(),
    };
    let status = if number % 29 == 7 { 403 } else { 404 };
    made(path, String::new(), Purpose::Page, status, 300, 600)
}

/// The login page, asked for (`sent` false) or a try at it.
#[must_use]
pub fn login(sent: bool, right: bool) -> Target {
    let (purpose, status) = match (sent, right) {
        (false, _) => (Purpose::Page, 200),
        (true, true) => (Purpose::Form, 303),
        (true, false) => (Purpose::Form, 401),
    };
    made("/login".to_owned(), String::new(), purpose, status, 900, 1_800)
}

/// A named page such as `/robots.txt`.
#[must_use]
pub fn named(path: &str) -> Target {
    made(path.to_owned(), String::new(), Purpose::Page, 200, 100, 900)
}

fn made(path: String, query: String, purpose: Purpose, status: u16, least: u32, most: u32) -> Target {
    let hash =
        path.bytes().chain(query.bytes()).fold(0xcbf2_9ce4_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let bytes = least.saturating_add(hash % most.saturating_sub(least).max(1));
    let work_us = match purpose {
        Purpose::Asset => 150 + hash % 500,
        Purpose::Form => 20_000 + hash % 30_000,
        _ => 800 + hash % 9_000,
    };
    Target { path, query, purpose, status, bytes, work_us }
}
