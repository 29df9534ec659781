//! What one visit asks for, and when: the steps of a person, a crawler, a scanner.
//!
//! Promises: steps stand in time order; their number lies in the population's range, give or take the assets of the last page.
//!
//! Read next: `visit.rs` (connections for them).

use super::rng::Stream;
use super::scenario::Behaviour;
use super::site::{self, Target};

/// One request as the client means it.
#[derive(Debug, Clone)]
pub struct Step {
    /// After the beginning of the visit.
    pub offset_ns: i64,
    /// What is asked for.
    pub target: Target,
    /// Path of the page it was asked from.
    pub referer: Option<String>,
}

/// How a visit goes.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// What kind of visit.
    pub behaviour: Behaviour,
    /// Requests.
    pub requests: u64,
    /// Median time between steps.
    pub gap_ns: i64,
    /// Deviation of its logarithm.
    pub gap_spread: f64,
    /// Pages of the site.
    pub pages: u64,
    /// Assets of a page.
    pub assets: u64,
    /// Counts the visits of this population: where a job goes on.
    pub visit: u64,
}

const MS: i64 = 1_000_000;

/// The steps of a visit.
pub fn steps(manner: &Manner, random: &mut Stream) -> Vec<Step> {
    let mut plan = Plan { manner, random, at_ns: 0, steps: Vec::with_capacity(usize::try_from(manner.requests).unwrap_or(16)) };
    match manner.behaviour {
        Behaviour::Browse => plan.browse(true),
        Behaviour::Automate => plan.browse(false),
        Behaviour::Crawl => plan.crawl(),
        Behaviour::Scrape => plan.scrape(),
        Behaviour::Scan => plan.each(site::probe),
        Behaviour::Bruteforce => plan.bruteforce(),
        Behaviour::Monitor => plan.each(|_| site::named("/status")),
        Behaviour::Api => {
            let first = plan.random.below(100_000);
            plan.each(|number| site::call(first.wrapping_add(number)));
        }
    }
    plan.steps.sort_by_key(|step| step.offset_ns);
    plan.steps
}

struct Plan<'a> {
    manner: &'a Manner,
    random: &'a mut Stream,
    at_ns: i64,
    steps: Vec<Step>,
}

impl Plan<'_> {
    fn full(&self) -> bool {
        self.steps.len() as u64 >= self.manner.requests
    }

    fn push(&mut self, offset_ns: i64, target: Target, referer: Option<&str>) {
        self.steps.push(Step { offset_ns, target, referer: referer.map(str::to_owned) });
    }

    fn pause(&mut self) {
        self.at_ns = self.at_ns.saturating_add(self.random.around(self.manner.gap_ns, self.manner.gap_spread));
    }

    fn any_page(&mut self) -> u64 {
        // Few pages are popular: the square of a uniform number.
        let unit = self.random.unit();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "page numbers are small"
        )]
        let page = (unit * unit * self.manner.pages as f64) as u64;
        page
    }

    fn browse(&mut self, person: bool) {
        let mut page = if self.random.chance(0.4) { 0 } else { self.any_page() };
        let mut from: Option<String> = None;
        let mut first = true;
        while !self.full() {
            let target = if !first && self.random.chance(0.12) { site::search(self.random) } else { site::page(page) };
            let path = target.path.clone();
            self.push(self.at_ns, target, from.as_deref());
            self.assets(page, first, &path);
            if person && self.random.chance(0.25) {
                let later = self.at_ns.saturating_add(i64::try_from(self.random.between(200, 1500)).unwrap_or(0) * MS);
                self.push(later, site::call(page), Some(&path));
            }
            if person && self.random.chance(0.02) {
                self.pause();
                self.push(self.at_ns, site::login(false, false), Some(&path));
                self.pause();
                let right = self.random.chance(0.7);
                self.push(self.at_ns, site::login(true, right), Some("/login"));
            }
            from = Some(path);
            page = self.any_page();
            first = false;
            self.pause();
        }
    }

    /// Style, script and font once a visit (then they are cached), pictures with each page.
    fn assets(&mut self, page: u64, first: bool, referer: &str) {
        let mut at_ns = self.at_ns.saturating_add(i64::try_from(self.random.between(30, 160)).unwrap_or(0) * MS);
        let known = if first { 0 } else { 4 };
        for place in known..self.manner.assets {
            self.push(at_ns, site::asset(page, place), Some(referer));
            at_ns = at_ns.saturating_add(i64::try_from(self.random.between(1, 40)).unwrap_or(0) * MS);
        }
    }

    fn crawl(&mut self) {
        self.push(0, site::named("/robots.txt"), None);
        let mut page = self.random.below(self.manner.pages);
        while !self.full() {
            self.pause();
            page = page.wrapping_add(self.random.between(1, 3)) % self.manner.pages.max(1);
            self.push(self.at_ns, site::page(page), None);
        }
    }

    fn scrape(&mut self) {
        // A job goes on where its last visit ended.
        let first = self.manner.visit.wrapping_mul(self.manner.requests);
        let pages = self.manner.pages.max(1);
        self.each(|number| site::page(1 + first.wrapping_add(number) % pages));
    }

    fn bruteforce(&mut self) {
        self.push(0, site::login(false, false), None);
        while !self.full() {
            self.pause();
            let right = self.random.chance(0.003);
            self.push(self.at_ns, site::login(true, right), Some("/login"));
        }
    }

    fn each(&mut self, target: impl Fn(u64) -> Target) {
        let mut number = 0;
        while !self.full() {
            self.push(self.at_ns, target(number), None);
            number += 1;
            self.pause();
        }
    }
}
