//! Apache's `%t` and `%{…}t`: compiled to pieces, read back, and put together over several directives of one line.
//!
//! Promises: `%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%{%z}t` is one time with microseconds; a format that is no complete time is
//! refused when it is compiled; the resolution of a time is that of its finest part. Locale-dependent formats are refused.
//!
//! Read next: `../clock.rs` (dates and ranges), `compile.rs` (which time counts). Reference: strftime(3), mod_log_config.

use super::super::Reason;
use super::super::clock::{Civil, SECOND_NS, Stamp, common_log_time, month_number, number, zone_offset_s};

/// One part of a time format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(Box<[u8]>),
    /// `[day/month/year:hour:minute:second zone]`.
    CommonLog,
    /// A civil part of this many digits.
    Part(Part, usize),
    /// `%e`: two characters, the first may be a blank.
    DayPadded,
    MonthName,
    Weekday,
    AmPm,
    Zone,
    ZoneName,
    /// Units of this many nanoseconds since 1970; the number of digits, or 0 for as many as there are.
    Epoch(i64, usize),
    /// Fraction of a second in digits, each unit this many nanoseconds.
    Fraction(i64, usize),
}

/// Civil parts made of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    YearOfCentury,
    Month,
    Day,
    DayOfYear,
    Hour,
    Hour12,
    Minute,
    Second,
    Ignored,
}

/// A time format and whether it tells the end of the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub pieces: Vec<Piece>,
    pub end: bool,
}

/// Compiles the argument of a `%t`; errors are phrases.
pub(super) fn compile(arg: Option<&str>) -> Result<Layout, String> {
    let (end, format) = match arg.unwrap_or_default() {
        a if a.starts_with("end:") => (true, a.get(4..).unwrap_or_default()),
        a if a.starts_with("begin:") => (false, a.get(6..).unwrap_or_default()),
        a => (false, a),
    };
    let single = match format {
        "" => Some(Piece::CommonLog),
        "sec" => Some(Piece::Epoch(SECOND_NS, 0)),
        "msec" => Some(Piece::Epoch(1_000_000, 0)),
        "usec" => Some(Piece::Epoch(1_000, 0)),
        "msec_frac" => Some(Piece::Fraction(1_000_000, 3)),
        "usec_frac" => Some(Piece::Fraction(1_000, 6)),
        _ => None,
    };
    match single {
        Some(piece) => Ok(Layout { pieces: vec![piece], end }),
        None => strftime(format).map(|pieces| Layout { pieces, end }),
    }
}

fn strftime(format: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            literal.push(c);
            continue;
        }
        let code = chars.next().ok_or("ends in a single %")?;
        let expanded = match code {
            '%' => {
                literal.push('%');
                continue;
            }
            'T' => strftime("%H:%M:%S")?,
            'R' => strftime("%H:%M")?,
            'D' => strftime("%m/%d/%y")?,
            'F' => strftime("%Y-%m-%d")?,
            'r' => strftime("%I:%M:%S %p")?,
            'n' => strftime("\n")?,
            't' => strftime("\t")?,
            code => vec![conversion(code)?],
        };
        push_literal(&mut pieces, &mut literal);
        pieces.extend(expanded);
    }
    push_literal(&mut pieces, &mut literal);
    Ok(pieces)
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(std::mem::take(literal).into_bytes().into()));
    }
}

fn conversion(code: char) -> Result<Piece, String> {
    Ok(match code {
        'Y' => Piece::Part(Part::Year, 4),
        'y' => Piece::Part(Part::YearOfCentury, 2),
        'm' => Piece::Part(Part::Month, 2),
        'd' => Piece::Part(Part::Day, 2),
        'e' => Piece::DayPadded,
        'j' => Piece::Part(Part::DayOfYear, 3),
        'H' => Piece::Part(Part::Hour, 2),
        'I' => Piece::Part(Part::Hour12, 2),
        'M' => Piece::Part(Part::Minute, 2),
        'S' => Piece::Part(Part::Second, 2),
        'u' | 'w' => Piece::Part(Part::Ignored, 1),
        'U' | 'V' | 'W' => Piece::Part(Part::Ignored, 2),
        'p' => Piece::AmPm,
        'b' | 'B' | 'h' => Piece::MonthName,
        'a' | 'A' => Piece::Weekday,
        'z' => Piece::Zone,
        'Z' => Piece::ZoneName,
        's' => Piece::Epoch(SECOND_NS, 0),
        'c' | 'x' | 'X' => return Err(format!("holds %{code}, which depends on the server's locale; log %{{usec}}t instead")),
        _ => return Err(format!("holds %{code}, which is not supported; log %{{usec}}t instead")),
    })
}

/// What was read of one time, over all its directives.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    civil: Civil,
    /// One bit per civil part that was set.
    have: u16,
    day_of_year: i64,
    pm: Option<bool>,
    /// Nanoseconds since 1970 and the unit.
    epoch: Option<(Option<i64>, i64)>,
    /// Nanoseconds within the second and the unit.
    fraction: Option<(i64, i64)>,
    fault: Option<Reason>,
}

impl Parts {
    /// Reads `pieces` from `bytes` at `at` and returns the end, or `None` if the text has another shape.
    pub(super) fn read(&mut self, pieces: &[Piece], bytes: &[u8], mut at: usize) -> Option<usize> {
        for piece in pieces {
            at = self.piece(piece, bytes, at)?;
        }
        Some(at)
    }

    /// Which civil parts a format fills, for the check when it is compiled: `None` of the text is needed.
    pub(super) fn complete(pieces: &[Piece]) -> Completeness {
        let has = |part: Part| pieces.iter().any(|p| matches!(p, Piece::Part(q, _) if *q == part));
        let epoch = pieces.iter().any(|p| matches!(p, Piece::Epoch(..) | Piece::CommonLog));
        let month_day =
            (has(Part::Month) || pieces.contains(&Piece::MonthName)) && (has(Part::Day) || pieces.contains(&Piece::DayPadded));
        let date = (has(Part::Year) || has(Part::YearOfCentury)) && (month_day || has(Part::DayOfYear));
        let hour = has(Part::Hour) || (has(Part::Hour12) && pieces.contains(&Piece::AmPm));
        let zone = pieces.iter().any(|p| matches!(p, Piece::Zone | Piece::ZoneName));
        Completeness { time: epoch || (date && hour && has(Part::Minute)), zone: epoch || zone }
    }

    /// The time, once all its directives were read.
    pub(super) fn stamp(self) -> Result<Stamp, Reason> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (base, unit_ns) = match self.epoch {
            Some((Some(ns), unit_ns)) => (ns, unit_ns),
            Some((None, _)) => return Err("its time is out of range".into()),
            None => {
                let unit_ns = if self.has(Part::Second) { SECOND_NS } else { 60 * SECOND_NS };
                (self.civil_seconds()?.saturating_mul(SECOND_NS), unit_ns)
            }
        };
        match self.fraction {
            Some((part_ns, fraction_unit_ns)) if unit_ns == SECOND_NS => {
                Stamp::new(base.saturating_add(part_ns), fraction_unit_ns)
            }
            _ => Stamp::new(base, unit_ns),
        }
    }

    fn civil_seconds(&self) -> Result<i64, Reason> {
        let mut civil = self.civil;
        if let Some(pm) = self.pm.filter(|_| self.has(Part::Hour12) && !self.has(Part::Hour)) {
            civil.hour = civil.hour % 12 + if pm { 12 } else { 0 };
        }
        if self.has(Part::DayOfYear) && !self.has(Part::Month) {
            (civil.month, civil.day) = (1, 1);
            return civil.epoch_s().map(|s| s.saturating_add((self.day_of_year - 1).saturating_mul(86_400)));
        }
        civil.epoch_s()
    }

    fn has(&self, part: Part) -> bool {
        self.have & (1 << part as u16) != 0
    }

    fn piece(&mut self, piece: &Piece, bytes: &[u8], at: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        let length = match piece {
            Piece::Literal(text) => rest.starts_with(text).then_some(text.len())?,
            Piece::CommonLog => {
                match common_log_time(rest)?.0 {
                    Ok(stamp) => self.set_epoch(Some(stamp.ts_ns), SECOND_NS),
                    Err(fault) => self.fault = Some(fault),
                }
                28
            }
            Piece::Part(part, digits) => {
                self.set(*part, number(rest.get(..*digits)?)?);
                *digits
            }
            Piece::DayPadded => {
                let text = rest.get(..2)?;
                self.set(Part::Day, number(text.strip_prefix(b" ").unwrap_or(text))?);
                2
            }
            Piece::MonthName => {
                let name = letters(rest);
                self.set(Part::Month, month_number(name.get(..3)?)?);
                name.len()
            }
            Piece::Weekday => Some(letters(rest).len()).filter(|n| *n >= 3)?,
            Piece::AmPm => {
                self.pm = Some(match rest.get(..2)? {
                    b"AM" | b"am" => false,
                    b"PM" | b"pm" => true,
                    _ => return None,
                });
                2
            }
            Piece::Zone => {
                self.civil.offset_s = zone_offset_s(rest.get(..5)?)?;
                5
            }
            Piece::ZoneName => {
                let name = letters(rest);
                if !matches!(name, b"UTC" | b"GMT" | b"Z") {
                    self.fault = Some("its time zone is known by name only; log %z instead of %Z".into());
                }
                name.len()
            }
            Piece::Epoch(unit_ns, digits) => {
                let sign = usize::from(rest.first() == Some(&b'-'));
                let run = rest.get(sign..)?.iter().take_while(|b| b.is_ascii_digit()).count();
                let length = if *digits == 0 { run } else { (run >= *digits).then_some(*digits)? };
                let value = rest.get(sign..sign + length).filter(|d| !d.is_empty())?;
                let ns = number(value).filter(|_| sign == 0).and_then(|n| n.checked_mul(*unit_ns));
                self.set_epoch(ns, *unit_ns);
                sign + length
            }
            Piece::Fraction(unit_ns, digits) => {
                let ns = number(rest.get(..*digits)?)?.saturating_mul(*unit_ns);
                if self.fraction.is_none_or(|(_, unit)| *unit_ns < unit) {
                    self.fraction = Some((ns, *unit_ns));
                }
                *digits
            }
        };
        at.checked_add(length)
    }

    /// Of several times the finest counts.
    fn set_epoch(&mut self, ns: Option<i64>, unit_ns: i64) {
        if self.epoch.is_none_or(|(_, unit)| unit_ns < unit) {
            self.epoch = Some((ns, unit_ns));
        }
    }

    fn set(&mut self, part: Part, value: i64) {
        self.have |= 1 << part as u16;
        let civil = &mut self.civil;
        match part {
            Part::Year => civil.year = value,
            // POSIX: 69–99 are of the 20th century.
            Part::YearOfCentury => civil.year = if value < 69 { 2_000 + value } else { 1_900 + value },
            Part::Month => civil.month = value,
            Part::Day => civil.day = value,
            Part::DayOfYear if (1..=366).contains(&value) => self.day_of_year = value,
            Part::DayOfYear => self.fault = Some("its time has a part out of range".into()),
            Part::Hour | Part::Hour12 => civil.hour = value,
            Part::Minute => civil.minute = value,
            Part::Second => civil.second = value,
            Part::Ignored => {}
        }
    }
}

/// What a time format tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Completeness {
    /// A date and a time of day.
    pub time: bool,
    /// Its distance from UTC.
    pub zone: bool,
}

fn letters(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    bytes.get(..length).unwrap_or_default()
}
