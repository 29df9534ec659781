//! What counts as a change: how many addresses show a value then and now, and how likely chance alone would make the difference.
//!
//! Promises: pure arithmetic; a bound on chance is never smaller than the probability it bounds, so nothing is called a change too early.
//!
//! Read next: `mod.rs` (where the numbers come from).

use super::{Shown, Totals};

/// A value on both sides has changed where chance alone would make such a difference less often than this, over all values compared.
pub const MAX_BY_CHANCE: f64 = 0.01;

/// Which way a value went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Not there then.
    New,
    /// Not there now.
    Gone,
    /// A larger share of the addresses.
    More,
    /// A smaller share.
    Less,
    /// No difference that chance would not make.
    Same,
}

impl Direction {
    /// For people and programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::More => "more",
            Self::Less => "less",
            Self::Same => "same",
        }
    }
}

/// One value of one aspect, then and now.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which aspect.
    pub aspect: &'static str,
    /// The value; empty where requests have none.
    pub value: String,
    /// What lists know of a JA4; else empty.
    pub known: String,
    /// Which way it went.
    pub direction: Direction,
    /// Then.
    pub then: Shown,
    /// Now.
    pub now: Shown,
    /// Share of all addresses that showed it then, 0 to 1.
    pub share_then: f64,
    /// The same now.
    pub share_now: f64,
    /// Bound on the probability that chance makes such a difference to any of the values compared, 0 to 1.
    pub by_chance: f64,
    /// Twice the logarithm of how much better two shares explain the addresses than one does; the order of lists.
    evidence: f64,
}

impl Change {
    /// A value as each side shows it; [`rank`] makes the rest of it.
    pub(super) fn weigh(aspect: &'static str, value: String, known: String, then: (Shown, Totals), now: (Shown, Totals)) -> Self {
        let share = |(shown, all): (Shown, Totals)| shown.addresses as f64 / (all.addresses.max(1)) as f64;
        let (share_then, share_now) = (share(then), share(now));
        let evidence = likelihood_ratio((then.0.addresses, then.1.addresses), (now.0.addresses, now.1.addresses));
        let (then, now) = (then.0, now.0);
        let direction = match (then.addresses, now.addresses) {
            (0, _) => Direction::New,
            (_, 0) => Direction::Gone,
            _ if share_now > share_then => Direction::More,
            _ => Direction::Less,
        };
        Self { aspect, value, known, direction, then, now, share_then, share_now, by_chance: 1.0, evidence }
    }

    /// First and last time the value was seen, ns since 1970: of now, unless it is gone.
    #[must_use]
    pub fn seen_ns(&self) -> (i64, i64) {
        let side = if self.direction == Direction::Gone { self.then } else { self.now };
        (side.first_ns, side.last_ns)
    }
}

/// Puts the strongest evidence first; what chance would make is the same, unless it was not there at all.
pub(super) fn rank(changes: &mut [Change]) {
    let compared = changes.len() as f64;
    for change in changes.iter_mut() {
        // Chernoff's bound for each value, Bonferroni's for all of them together.
        change.by_chance = ((-change.evidence / 2.0).exp() * compared).min(1.0);
        if change.by_chance > MAX_BY_CHANCE && matches!(change.direction, Direction::More | Direction::Less) {
            change.direction = Direction::Same;
        }
    }
    changes.sort_by(|a, b| b.evidence.total_cmp(&a.evidence).then_with(|| (a.aspect, &a.value).cmp(&(b.aspect, &b.value))));
}

/// Likelihood ratio of two proportions (G): 0 where both are equal.
fn likelihood_ratio(then: (i64, i64), now: (i64, i64)) -> f64 {
    let pooled = (then.0 + now.0) as f64 / ((then.1 + now.1).max(1)) as f64;
    let of = |(showing, all): (i64, i64)| {
        let (showing, others) = (showing as f64, (all - showing).max(0) as f64);
        let part = |count: f64, share: f64| if count > 0.0 { count * (count / ((showing + others) * share)).ln() } else { 0.0 };
        part(showing, pooled) + part(others, 1.0 - pooled)
    };
    (2.0 * (of(then) + of(now))).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(showing: i64, all: i64) -> (Shown, Totals) {
        let shown = Shown { requests: showing * 10, addresses: showing, ..Shown::default() };
        (shown, Totals { requests: all * 10, addresses: all, anomalous: 0, ja4s: 1, hosts: 1, first_ns: 0, last_ns: 1 })
    }

    fn changes(pairs: &[((i64, i64), (i64, i64))]) -> Vec<Change> {
        let weighed = |(place, (then, now)): (usize, &((i64, i64), (i64, i64)))| {
            Change::weigh("ja4", place.to_string(), String::new(), side(then.0, then.1), side(now.0, now.1))
        };
        let mut all: Vec<_> = pairs.iter().enumerate().map(weighed).collect();
        rank(&mut all);
        all
    }

    #[test]
    fn what_came_went_or_grew_is_told_from_what_chance_makes() {
        let all = changes(&[
            ((0, 100), (40, 100)),
            ((30, 100), (0, 100)),
            ((10, 100), (60, 100)),
            ((50, 100), (53, 100)),
            ((90, 100), (20, 100)),
        ]);
        let order: Vec<_> = all.iter().map(|change| (change.value.as_str(), change.direction)).collect();
        use Direction::{Gone, Less, More, New, Same};
        assert_eq!(order, [("4", Less), ("0", New), ("2", More), ("1", Gone), ("3", Same)]);
        assert!(all[..4].iter().all(|change| change.by_chance < 1e-6) && all[4].by_chance > 0.9, "{all:?}");
    }

    #[test]
    fn one_address_is_new_but_no_evidence() {
        let all = changes(&[((0, 200), (1, 200)), ((150, 200), (150, 200)), ((80, 200), (80, 200))]);
        assert_eq!((all[0].direction, all[0].by_chance), (Direction::New, 1.0));
        assert_eq!(all[1].direction, Direction::Same);
    }

    #[test]
    fn the_bound_holds_against_an_exact_test() {
        // Fisher's exact test, two-sided, of 8 of 20 against 1 of 20 gives 0.0197 (R: fisher.test(matrix(c(8, 12, 1, 19), 2))$p.value).
        let all = changes(&[((8, 20), (1, 20))]);
        assert!(all[0].by_chance > 0.0197 && all[0].by_chance < 0.06, "{}", all[0].by_chance);
    }

    #[test]
    fn sizes_of_the_sides_do_not_matter_to_equal_shares() {
        let all = changes(&[((1, 10), (100, 1000)), ((0, 10), (0, 1000))]);
        assert!(all.iter().all(|change| change.evidence < 1e-9 && change.by_chance == 1.0), "{all:?}");
    }
}
