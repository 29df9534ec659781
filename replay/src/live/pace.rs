//! How many rows go out together: about as many as come in between two deliveries.
//!
//! Promises: what waits after an outage goes out in deliveries like all others, one after the other, so that memory stays what it was; a sink
//! that takes long for each gets more at once, up to a bound, so that it catches up.
//!
//! Read next: `deliver.rs`.

/// Rows that a delivery may always take.
const ROWS_PER_DELIVERY: usize = 4096;
/// A sink that is slow gets what comes in so many intervals at once, and not more however slow it is.
const MOST_INTERVALS: i64 = 8;
/// Over which time rows are counted at least.
const LEAST_INTERVAL_NS: i64 = 500_000_000;

/// How many rows come in between two deliveries.
#[derive(Debug, Default)]
pub struct Pace {
    since_ns: i64,
    rows: usize,
    /// Of the last whole interval.
    per_interval: usize,
    /// How long the sink took for the last batch.
    pub took_ns: i64,
}

impl Pace {
    /// Rows came in.
    pub fn add(&mut self, rows: usize) {
        self.rows = self.rows.saturating_add(rows);
    }

    /// The most rows that a delivery may take, when one is due every `interval_ns` and it is now `now_ns`: a quarter more than come in between two,
    /// so that what waits after an outage goes out in deliveries like all others, and yet grows less.
    pub fn most(&mut self, now_ns: i64, interval_ns: i64) -> usize {
        let (passed_ns, interval_ns) = (now_ns.saturating_sub(self.since_ns), interval_ns.max(LEAST_INTERVAL_NS));
        if passed_ns >= interval_ns {
            let intervals = usize::try_from(passed_ns / interval_ns).unwrap_or(usize::MAX);
            (self.since_ns, self.per_interval) = (now_ns, self.rows.div_ceil(intervals.max(1)));
            self.rows = 0;
        }
        let intervals = (self.took_ns / interval_ns).saturating_add(1).clamp(1, MOST_INTERVALS);
        let between = self.per_interval.saturating_mul(usize::try_from(intervals).unwrap_or(1));
        between.saturating_add(between / 4).max(ROWS_PER_DELIVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    #[test]
    fn a_delivery_takes_a_quarter_more_than_comes_between_two_of_them_and_no_more_after_a_pause() {
        let mut pace = Pace::default();
        assert_eq!(pace.most(0, SECOND_NS), ROWS_PER_DELIVERY);
        for second in 1..=60 {
            pace.add(50_000);
            // Asked again and again within a second, as while a sink is away.
            assert_eq!(pace.most(second * SECOND_NS - 1, SECOND_NS), if second == 1 { ROWS_PER_DELIVERY } else { 62_500 });
            assert_eq!(pace.most(second * SECOND_NS, SECOND_NS), 62_500);
        }
        // Not asked for ten seconds, in which as many rows a second came as before.
        (0..10).for_each(|_| pace.add(50_000));
        assert_eq!(pace.most(70 * SECOND_NS, SECOND_NS), 62_500);
        assert_eq!(pace.most(71 * SECOND_NS, SECOND_NS), ROWS_PER_DELIVERY);
    }

    #[test]
    fn a_sink_that_takes_longer_than_its_interval_gets_as_much_more_at_once_up_to_a_bound() {
        let mut pace = Pace { took_ns: 2 * SECOND_NS, ..Pace::default() };
        pace.add(10_000);
        let most = pace.most(SECOND_NS, SECOND_NS);
        assert!(most > 20_000, "what comes in while it is busy fits: {most}");
        pace.took_ns = 3600 * SECOND_NS;
        assert_eq!(pace.most(SECOND_NS, SECOND_NS), 100_000, "eight intervals and a quarter");
    }
}
