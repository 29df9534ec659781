//! Times in logs: civil dates, zones, fractions and the range that an event may have.
//!
//! Promises: no clock is read, no overflow, no panic. A time before 1970 or from 2261 on is out of range (an `i64` of
//! nanoseconds ends in 2262, and later stages add windows to it). A leap second (`:60`) is the first second of the next minute,
//! as POSIX time has it.
//!
//! Read next: `logformat/time.rs` (Apache's `%t` and `%{…}t`), `reqin.rs` (`ts_*` keys).

use super::Reason;

/// Nanoseconds in a second.
pub(super) const SECOND_NS: i64 = 1_000_000_000;

/// 2261-01-01T00:00:00Z.
pub(super) const END_TS_NS: i64 = 9_183_110_400 * SECOND_NS;

const OUT_OF_RANGE: &str = "its time is before 1970 or after 2260";

/// A time and its resolution: the true time is in `[ts_ns, ts_ns + resolution_ns)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub ts_ns: i64,
    pub resolution_ns: i64,
}

impl Stamp {
    /// Checks the range.
    pub(super) fn new(ts_ns: i64, resolution_ns: i64) -> Result<Self, Reason> {
        if (0..END_TS_NS).contains(&ts_ns) { Ok(Self { ts_ns, resolution_ns }) } else { Err(OUT_OF_RANGE.into()) }
    }

    /// `value` units of `unit_ns` nanoseconds since 1970.
    pub(super) fn scaled(value: i64, unit_ns: i64) -> Result<Self, Reason> {
        Self::new(value.checked_mul(unit_ns).ok_or(OUT_OF_RANGE)?, unit_ns)
    }

    /// Decimal seconds since 1970, RFC 3339, or `[day/month/year:hour:minute:second zone]`.
    pub(super) fn from_text(text: &str) -> Result<Self, Reason> {
        let bytes = text.as_bytes();
        if bytes.first() == Some(&b'[') {
            let (stamp, rest) = common_log_time(bytes).ok_or("its time is not [day/month/year:hour:minute:second zone]")?;
            return if rest.is_empty() { stamp } else { Err("text follows its time".into()) };
        }
        if text.contains('T') {
            let time: jiff::Timestamp = text.parse().map_err(|_| "its time is no RFC 3339 time")?;
            let nanos = i64::try_from(time.as_nanosecond()).map_err(|_| OUT_OF_RANGE)?;
            return Self::new(nanos, fraction_unit_ns(text.split('.').nth(1).unwrap_or_default()));
        }
        if text.starts_with('-') {
            return Err(OUT_OF_RANGE.into());
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let seconds: i64 = whole.parse().map_err(|_| "its time is no number of seconds")?;
        if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err("its time has no fraction of up to 9 digits".into());
        }
        let unit_ns = fraction_unit_ns(fraction);
        let part = fraction.parse::<i64>().unwrap_or(0).saturating_mul(unit_ns);
        let base = seconds.checked_mul(SECOND_NS).and_then(|ns| ns.checked_add(part)).ok_or(OUT_OF_RANGE)?;
        Self::new(base, unit_ns)
    }
}

/// Nanoseconds that the last of the leading digits counts.
fn fraction_unit_ns(fraction: &str) -> i64 {
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    (0..digits.min(9)).fold(SECOND_NS, |unit, _| unit / 10)
}

/// A civil time with its distance from UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    /// Seconds east of UTC.
    pub offset_s: i64,
}

impl Civil {
    /// Seconds since 1970 UTC, if every part is in its range.
    pub(super) fn epoch_s(self) -> Result<i64, Reason> {
        let Self { year, month, day, hour, minute, second, offset_s } = self;
        let valid = (0..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..=60).contains(&second)
            && (-86_400..=86_400).contains(&offset_s);
        if !valid {
            return Err("its time has a part out of range".into());
        }
        // All parts are bounded above: nothing here can overflow.
        Ok(days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset_s)
    }
}

/// Reads `[10/Oct/2000:13:55:36 -0700]` and returns what follows. `None` if the bytes have another shape.
pub(super) fn common_log_time(bytes: &[u8]) -> Option<(Result<Stamp, Reason>, &[u8])> {
    let (text, rest) = bytes.split_at_checked(28)?;
    let separators = [(0, b'['), (3, b'/'), (7, b'/'), (12, b':'), (15, b':'), (18, b':'), (21, b' '), (27, b']')];
    if !separators.iter().all(|(at, byte)| text.get(*at) == Some(byte)) {
        return None;
    }
    let civil = Civil {
        day: number(text.get(1..3)?)?,
        month: month_number(text.get(4..7)?)?,
        year: number(text.get(8..12)?)?,
        hour: number(text.get(13..15)?)?,
        minute: number(text.get(16..18)?)?,
        second: number(text.get(19..21)?)?,
        offset_s: zone_offset_s(text.get(22..27)?)?,
    };
    Some((civil.epoch_s().and_then(|seconds| Stamp::scaled(seconds, SECOND_NS)), rest))
}

/// `Jan` … `Dec` to 1 … 12.
pub(super) fn month_number(name: &[u8]) -> Option<i64> {
    const NAMES: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    NAMES.iter().position(|n| n.as_slice() == name).and_then(|at| i64::try_from(at + 1).ok())
}

/// `+hhmm` or `-hhmm` to seconds east of UTC.
pub(super) fn zone_offset_s(text: &[u8]) -> Option<i64> {
    let (sign, digits) = text.split_first()?;
    let seconds = number(digits.get(..2)?)? * 3_600 + number(digits.get(2..4)?)? * 60;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Up to 18 digits and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0i64, |value, d| d.is_ascii_digit().then(|| value * 10 + i64::from(d - b'0')))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms"). The caller has bounded the parts.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clf_s(text: &str) -> Option<Result<i64, Reason>> {
        common_log_time(text.as_bytes()).map(|(stamp, _)| stamp.map(|s| s.ts_ns / SECOND_NS))
    }

    #[test]
    fn common_log_times() {
        // The example of Apache's manual; value by `date -ud '2000-10-10 20:55:36' +%s`.
        assert_eq!(clf_s("[10/Oct/2000:13:55:36 -0700]"), Some(Ok(971_211_336)));
        assert_eq!(clf_s("[31/Dec/2016:23:59:60 +0000]"), Some(Ok(1_483_228_800)), "leap second");
        assert_eq!(clf_s("[29/Feb/2024:00:00:00 +0530]"), Some(Ok(1_709_145_000)));
        assert_eq!(clf_s("[01/Jan/1970:00:00:00 +0000]"), Some(Ok(0)));
        for out in ["[31/Dec/1969:23:59:59 +0000]", "[01/Jan/1970:00:00:00 +0100]", "[01/Jan/9999:00:00:00 +0000]"] {
            assert!(matches!(clf_s(out), Some(Err(_))), "{out}");
        }
        for bad in ["[29/Feb/2023:00:00:00 +0000]", "[10/Oct/2000:24:00:00 +0000]", "[10/Oct/2000:13:60:00 +0000]"] {
            assert!(matches!(clf_s(bad), Some(Err(_))), "{bad}");
        }
        for shape in ["[10/Okt/2000:13:55:36 -0700]", "10/Oct/2000:13:55:36 -0700", "[1/Oct/2000:13:55:36 +0000]x", ""] {
            assert_eq!(clf_s(shape), None, "{shape}");
        }
    }

    #[test]
    fn civil_days_agree_with_jiff() {
        for day in (-30_000..60_000).step_by(17) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            let (y, m, d) = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
            assert_eq!(days_from_civil(y, m, d), day);
            assert_eq!(days_in_month(y, m), i64::from(date.days_in_month()));
        }
    }

    #[test]
    fn other_texts() {
        assert_eq!(Stamp::from_text("12.345678"), Ok(Stamp { ts_ns: 12_345_678_000, resolution_ns: 1_000 }));
        assert_eq!(Stamp::from_text("12"), Ok(Stamp { ts_ns: 12 * SECOND_NS, resolution_ns: SECOND_NS }));
        assert_eq!(
            Stamp::from_text("1970-01-01T01:00:12.5+01:00"),
            Ok(Stamp { ts_ns: 12_500_000_000, resolution_ns: 100_000_000 })
        );
        for bad in
            ["", "-1", "-0.5", "x", "99999999999999999999", "9999999999999", "9999-01-01T00:00:00Z", "1.2.3", "1.1234567890"]
        {
            assert!(Stamp::from_text(bad).is_err(), "{bad}");
        }
    }
}
