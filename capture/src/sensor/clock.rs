//! Event time of a packet stream whose time stamps may jump.
//!
//! Promises: follows the packets' own time; a single packet with a wild time stamp moves nothing, two in a row that agree do
//! (that is how a year-long gap looks); no wall clock anywhere.
//!
//! Read next: `events.rs`.

/// Steps larger than this need a second packet to be believed.
const JUMP_NS: i64 = 60_000_000_000;
/// Captures of several queues are out of order by less than this.
pub const SLACK_NS: i64 = 1_000_000_000;

/// The present event time.
#[derive(Debug, Default)]
pub struct EventClock {
    now_ns: Option<i64>,
    doubted_ns: Option<i64>,
    watermark_ns: Option<i64>,
}

impl EventClock {
    /// Takes the next packet's time and gives the present time.
    #[inline]
    pub fn observe(&mut self, ts_ns: i64) -> i64 {
        let near = |other: Option<i64>| other.is_some_and(|other| ts_ns.saturating_sub(other).saturating_abs() <= JUMP_NS);
        let now_ns = self.now_ns.unwrap_or(ts_ns);
        if near(Some(now_ns)) || near(self.doubted_ns) {
            self.now_ns = Some(ts_ns);
            self.doubted_ns = None;
            return ts_ns;
        }
        self.doubted_ns = Some(ts_ns);
        now_ns
    }

    /// Takes over the time of another clock; the smallest value means none.
    pub fn set(&mut self, now_ns: i64) {
        self.now_ns = Some(now_ns).filter(|now_ns| *now_ns != i64::MIN);
    }

    /// Time passed without a packet. A time at most a minute before the present one moves nothing; others are believed as those of
    /// packets are. Gives the present time.
    pub fn pass(&mut self, ts_ns: i64) -> i64 {
        match self.now_ns {
            Some(now_ns) if ts_ns <= now_ns && now_ns.saturating_sub(ts_ns) <= JUMP_NS => now_ns,
            _ => self.observe(ts_ns),
        }
    }

    /// No event still to come should be older; `oldest_pending_ns` is the oldest one that waits. Never goes back.
    pub fn watermark_ns(&mut self, oldest_pending_ns: Option<i64>) -> Option<i64> {
        let now_ns = self.now_ns?.saturating_sub(SLACK_NS);
        let safe_ns = oldest_pending_ns.map_or(now_ns, |pending| pending.min(now_ns));
        let watermark_ns = self.watermark_ns.map_or(safe_ns, |before| before.max(safe_ns));
        self.watermark_ns = Some(watermark_ns);
        Some(watermark_ns)
    }

    /// Whether an event of this time comes after a later watermark was promised.
    #[must_use]
    pub fn is_late(&self, ts_ns: i64) -> bool {
        self.watermark_ns.is_some_and(|watermark| ts_ns < watermark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_packet_moves_nothing_and_two_do() {
        let year = 365 * 86_400 * 1_000_000_000;
        let mut clock = EventClock::default();
        assert_eq!(clock.observe(5), 5);
        assert_eq!(clock.observe(year), 5);
        assert_eq!(clock.observe(9), 9);
        assert_eq!(clock.observe(year), 9);
        assert_eq!(clock.observe(year + 1), year + 1);
        assert_eq!(clock.watermark_ns(None), Some(year + 1 - SLACK_NS));
        assert_eq!(clock.watermark_ns(Some(7)), Some(year + 1 - SLACK_NS));
        assert!(clock.is_late(7));
    }

    #[test]
    fn idle_time_never_goes_back_but_follows_a_clock_that_was_set() {
        let hour = 3600 * 1_000_000_000;
        let mut clock = EventClock::default();
        assert_eq!(clock.observe(2 * hour), 2 * hour);
        assert_eq!(clock.pass(2 * hour - 1), 2 * hour);
        assert_eq!(clock.pass(2 * hour + 5), 2 * hour + 5);
        assert_eq!(clock.pass(hour), 2 * hour + 5, "one wild time is doubted");
        assert_eq!(clock.pass(hour + 1), hour + 1, "two that agree are not");
        assert_eq!(clock.watermark_ns(None), Some(hour + 1 - SLACK_NS));
    }
}
