//! How far event time has certainly passed, for streams that arrive as they happen.
//!
//! A stream that speaks is behind its newest event by at most its delay. One that is silent says nothing; then time passes as on the
//! driver's clock, counted from the newest event of either stream. So captures and logs of any year can be fed, at any speed.
//!
//! Promises: the result never goes back; one event with a wild time stamp moves nothing, three in a row that agree do; the monotonic
//! clock comes in as an argument.
//!
//! Read next: `join.rs`, docs/JOIN.md ("Order").

use super::Stream;

/// A clock that only runs forward, in nanoseconds since some moment. The driver's.
pub type Ticker = std::sync::Arc<dyn Fn() -> i64 + Send + Sync>;

/// How long a stream is silent before the clock speaks for it.
const SILENT_NS: i64 = 3_000_000_000;
/// Steps forward larger than this need two more events to be believed.
const JUMP_NS: i64 = 60_000_000_000;
/// Events that must agree about a jump.
const AGREEING: u32 = 3;

/// How far behind its newest event each stream may still bring one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// A request is told of at its end: the longest request that is still joined in order.
    pub http_ns: i64,
    /// A handshake waits up to five seconds for its ServerHello, and the sensor stays a second behind the clock.
    pub network_ns: i64,
}

impl Default for Delays {
    fn default() -> Self {
        Self { http_ns: 20_000_000_000, network_ns: 8_000_000_000 }
    }
}

/// The event times of both streams.
#[derive(Debug, Clone)]
pub struct EventTime {
    delays: Delays,
    http: Latest,
    network: Latest,
    reached_ns: i64,
}

#[derive(Debug, Clone, Default)]
struct Latest {
    /// Newest event, and when it came.
    newest_ns: Option<(i64, i64)>,
    /// When anything came.
    heard_ns: i64,
    doubted_ns: i64,
    agreeing: u32,
}

impl EventTime {
    /// Nothing has been seen.
    #[must_use]
    pub fn new(delays: Delays) -> Self {
        Self { delays, http: Latest::default(), network: Latest::default(), reached_ns: i64::MIN }
    }

    /// Other delays from now on; what was declared stays.
    pub fn set_delays(&mut self, delays: Delays) {
        self.delays = delays;
    }

    /// An event of `stream` with this time came at `now_ns` of the ticker.
    pub fn saw(&mut self, stream: Stream, ts_ns: i64, now_ns: i64) {
        let present = self.present_ns(now_ns);
        match stream {
            Stream::Http => self.http.saw(ts_ns, now_ns, present),
            Stream::Network => self.network.saw(ts_ns, now_ns, present),
        }
    }

    /// Time that no later event is before, as far as the delays hold; `None` before the first event.
    pub fn reached_ns(&mut self, now_ns: i64) -> Option<i64> {
        let present = self.present_ns(now_ns)?;
        let bound = |latest: &Latest, delay_ns: i64| {
            let speaks = now_ns.saturating_sub(latest.heard_ns) < SILENT_NS;
            latest.newest_ns.filter(|_| speaks).map_or(present, |(newest, _)| newest).saturating_sub(delay_ns)
        };
        let reached = bound(&self.http, self.delays.http_ns).min(bound(&self.network, self.delays.network_ns));
        self.reached_ns = self.reached_ns.max(reached);
        Some(self.reached_ns)
    }

    /// The newest event of either stream that is believed, ns.
    #[must_use]
    pub fn newest_ns(&self) -> Option<i64> {
        [&self.http, &self.network].into_iter().filter_map(|latest| latest.newest_ns).map(|(newest, _)| newest).max()
    }

    /// The newest request that is believed, ns.
    #[must_use]
    pub fn newest_request_ns(&self) -> Option<i64> {
        self.http.newest_ns.map(|(newest, _)| newest)
    }

    /// Event time as it would be now, going by the newest event and the time since.
    fn present_ns(&self, now_ns: i64) -> Option<i64> {
        let of = |latest: &Latest| latest.newest_ns.map(|(newest, at)| newest.saturating_add(now_ns.saturating_sub(at).max(0)));
        of(&self.http).into_iter().chain(of(&self.network)).max()
    }
}

impl Latest {
    fn saw(&mut self, ts_ns: i64, now_ns: i64, present_ns: Option<i64>) {
        self.heard_ns = now_ns;
        if let Some((newest, _)) = self.newest_ns
            && ts_ns <= newest
        {
            return;
        }
        let near = |other: i64| ts_ns.saturating_sub(other) <= JUMP_NS;
        if present_ns.is_none_or(near) {
            self.agreeing = 0;
        } else {
            self.agreeing = if ts_ns.saturating_sub(self.doubted_ns).saturating_abs() <= JUMP_NS {
                self.agreeing.saturating_add(1)
            } else {
                1
            };
            self.doubted_ns = ts_ns;
            if self.agreeing < AGREEING {
                return;
            }
            self.agreeing = 0;
        }
        self.newest_ns = Some((ts_ns, now_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;
    const DELAYS: Delays = Delays { http_ns: 20 * S, network_ns: 8 * S };

    #[test]
    fn the_slower_stream_holds_while_it_speaks_and_the_clock_speaks_for_a_silent_one() {
        let mut time = EventTime::new(DELAYS);
        assert_eq!(time.reached_ns(5 * S), None);
        time.saw(Stream::Network, 1000 * S, 10 * S);
        // Requests are silent: the network's time stands for both.
        assert_eq!(time.reached_ns(10 * S), Some(980 * S));
        time.saw(Stream::Http, 990 * S, 10 * S);
        assert_eq!(time.reached_ns(10 * S), Some(980 * S), "it never goes back");
        time.saw(Stream::Network, 1020 * S, 11 * S);
        assert_eq!(time.reached_ns(11 * S), Some(980 * S), "a slow log that still speaks");
        // Four seconds later both are silent.
        assert_eq!(time.reached_ns(15 * S), Some(1004 * S));
        assert_eq!(time.reached_ns(16 * S), Some(1005 * S));
    }

    #[test]
    fn one_wild_time_stamp_moves_nothing_and_three_that_agree_do() {
        let mut time = EventTime::new(DELAYS);
        let year = 365 * 86_400 * S;
        time.saw(Stream::Http, 100 * S, 0);
        time.saw(Stream::Http, year, 1);
        assert_eq!((time.reached_ns(2), time.newest_ns()), (Some(80 * S), Some(100 * S)));
        time.saw(Stream::Http, 101 * S, 3);
        time.saw(Stream::Http, year, 4);
        time.saw(Stream::Http, year + 1, 5);
        assert_eq!(time.reached_ns(6), Some(81 * S));
        time.saw(Stream::Http, year + 2, 7);
        assert_eq!(time.reached_ns(7), Some(year + 2 - 20 * S));
        // An hour of silence is no jump.
        time.saw(Stream::Http, year + 3600 * S, 3600 * S);
        assert_eq!(time.reached_ns(3600 * S), Some(year + 3580 * S));
    }
}
