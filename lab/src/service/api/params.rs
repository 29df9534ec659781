//! A query string to a checked question. Everything that is not on a list is refused with a sentence that gives the list.
//!
//! Promises: nothing of a request becomes part of a statement but as a parameter; pages, offsets, lengths and the number of
//! filters are bounded.
//!
//! Read next: `mod.rs`, `statement.rs`.

use std::net::IpAddr;

use super::endpoints::{Endpoint, Time};
use super::problem::Problem;
use super::statement::{Filter, Kind, MOST_FILTERS};
use crate::render::visible;

/// Rows of a page unless `limit` says otherwise.
pub const DEFAULT_LIMIT: u64 = 50;
/// The largest page.
pub const LARGEST_LIMIT: u64 = 1000;
/// The farthest page begins here; a narrower time range reaches everything.
pub const FARTHEST_OFFSET: u64 = 1_000_000;
/// The longest value of a filter, characters.
pub const LONGEST_VALUE: usize = 256;
/// Severities that can be asked for.
pub const SEVERITIES: [&str; 6] = ["none", "low", "medium", "high", "critical", "allowed"];

/// Names that every list knows.
pub const COMMON: [&str; 6] = ["from", "to", "limit", "offset", "sort", "order"];

/// A checked question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Rows wanted.
    pub limit: u64,
    /// Rows skipped.
    pub offset: u64,
    /// Position of the sort key.
    pub sort: usize,
    /// Largest first.
    pub descending: bool,
    /// Positions of the filters, ascending, with their values.
    pub filters: Vec<(usize, String)>,
    /// First and end of the time range in the unit of the endpoint's statement.
    pub range: (i64, i64),
}

/// Name and value as given.
pub type Pairs = [(String, String)];

/// Checks `pairs` against what `endpoint` allows.
///
/// # Errors
/// Status 400 with a sentence.
pub fn parse(endpoint: &Endpoint, pairs: &Pairs) -> Result<Question, Problem> {
    once_each(pairs)?;
    let (mut limit, mut offset, mut sort, mut descending) = (DEFAULT_LIMIT, 0, 0, true);
    let (mut from, mut to) = (None, None);
    let mut filters = Vec::new();
    for (name, value) in pairs {
        match name.as_str() {
            "limit" => limit = number(name, value, 1, LARGEST_LIMIT)?,
            "offset" => offset = number(name, value, 0, FARTHEST_OFFSET)?,
            "from" => from = Some(time(name, value)?),
            "to" => to = Some(time(name, value)?),
            "sort" => sort = one_of(name, value, &endpoint.shape.sorts)?,
            "order" => descending = one_of(name, value, &["asc", "desc"])? == 1,
            _ => {
                let place = endpoint.shape.filters.iter().position(|filter| filter.name == name);
                let Some((place, filter)) = place.and_then(|place| Some((place, endpoint.shape.filters.get(place)?))) else {
                    return Err(unknown(name, &allowed(endpoint)));
                };
                filters.push((place, check(filter, value)?));
            }
        }
    }
    if filters.len() > MOST_FILTERS {
        return Err(Problem::bad(format!("{} filters were given; at most {MOST_FILTERS} can be combined", filters.len())));
    }
    filters.sort();
    Ok(Question { limit, offset, sort, descending, filters, range: range(endpoint.time, from, to)? })
}

/// Refuses names other than `allowed`, and names given twice.
///
/// # Errors
/// Status 400 with a sentence.
pub fn only(pairs: &Pairs, allowed: &[&str]) -> Result<(), Problem> {
    once_each(pairs)?;
    match pairs.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
        Some((name, _)) => Err(unknown(name, allowed)),
        None => Ok(()),
    }
}

/// The value of `name`, if given.
#[must_use]
pub fn value<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}

/// An address in the form that is stored.
///
/// # Errors
/// Status 400 with a sentence.
pub fn address(name: &str, value: &str) -> Result<IpAddr, Problem> {
    value
        .parse::<IpAddr>()
        .map(|address| address.to_canonical())
        .map_err(|_| wrong(name, value, "an IP address such as 192.0.2.7 or 2001:db8::7"))
}

/// Which of `allowed` it is.
///
/// # Errors
/// Status 400 with a sentence.
pub fn one_of(name: &str, value: &str, allowed: &[&str]) -> Result<usize, Problem> {
    let wanted = if allowed.is_empty() {
        "nothing: this list has no sort key".to_owned()
    } else {
        format!("one of {}", allowed.join(", "))
    };
    allowed.iter().position(|known| *known == value).ok_or_else(|| wrong(name, value, &wanted))
}

/// A time range in the unit of the statement, end excluded.
///
/// # Errors
/// Status 400 where the end lies before the beginning.
pub fn range(time: Time, from: Option<i64>, to: Option<i64>) -> Result<(i64, i64), Problem> {
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(Problem::bad("the time range is empty: from lies after to".to_owned()));
    }
    let (from, to) = (from.unwrap_or(i64::MIN / 2), to.unwrap_or(i64::MAX / 2));
    Ok(match time {
        Time::Instant => (from, to),
        Time::Hour => (from.div_euclid(1_000_000), to.div_euclid(1_000_000)),
    })
}

/// RFC 3339 to ns since 1970.
///
/// # Errors
/// Status 400 with a sentence.
pub fn time(name: &str, value: &str) -> Result<i64, Problem> {
    let wanted = "a time such as 2026-11-20T14:00:00Z (a + of a zone is written %2B)";
    let time: jiff::Timestamp = value.parse().map_err(|_| wrong(name, value, wanted))?;
    i64::try_from(time.as_nanosecond()).map_err(|_| wrong(name, value, "a time from 1678 to 2261"))
}

/// The whole number given as `name`, or `default`.
///
/// # Errors
/// Status 400 with the range.
pub fn number_or(pairs: &Pairs, name: &str, default: u64, low: u64, high: u64) -> Result<u64, Problem> {
    value(pairs, name).map_or(Ok(default), |given| number(name, given, low, high))
}

fn number(name: &str, value: &str, low: u64, high: u64) -> Result<u64, Problem> {
    let plain = !value.is_empty() && value.len() <= 20 && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = if plain { value.parse::<u64>().ok() } else { None };
    number
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| wrong(name, value, &format!("a whole number from {low} to {high}")))
}

fn check(filter: &Filter, value: &str) -> Result<String, Problem> {
    let name = filter.name;
    Ok(match filter.kind {
        Kind::Address => address(name, value)?.to_string(),
        Kind::Text => text(name, value)?,
        Kind::Severity => {
            one_of(name, value, &SEVERITIES)?;
            value.to_owned()
        }
        Kind::Share => match value.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => share.to_string(),
            _ => return Err(wrong(name, value, "a number from 0 to 1")),
        },
        Kind::Count => number(name, value, 0, u64::from(u32::MAX))?.to_string(),
        Kind::Flag => number(name, value, 0, 1)?.to_string(),
    })
}

fn text(name: &str, value: &str) -> Result<String, Problem> {
    let length = value.chars().count();
    if length > LONGEST_VALUE {
        return Err(Problem::bad(format!("{name} is {length} characters long; at most {LONGEST_VALUE} are taken")));
    }
    if value.contains('\0') {
        return Err(Problem::bad(format!("{name} holds a NUL character, which no stored text does")));
    }
    Ok(value.to_owned())
}

fn once_each(pairs: &Pairs) -> Result<(), Problem> {
    for (place, (name, _)) in pairs.iter().enumerate() {
        if pairs.iter().take(place).any(|(earlier, _)| earlier == name) {
            return Err(Problem::bad(format!("{} is given twice; give it once", shown(name))));
        }
    }
    Ok(())
}

/// Every name that `endpoint` takes.
#[must_use]
pub fn allowed(endpoint: &Endpoint) -> Vec<&'static str> {
    let common = COMMON.into_iter().filter(|name| !endpoint.shape.sorts.is_empty() || !matches!(*name, "sort" | "order"));
    common.chain(endpoint.shape.filters.iter().map(|filter| filter.name)).collect()
}

fn unknown(name: &str, allowed: &[&str]) -> Problem {
    let list = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    Problem::bad(format!("there is no parameter {}; this path takes {list}", shown(name)))
}

fn wrong(name: &str, value: &str, wanted: &str) -> Problem {
    Problem::bad(format!("{name} is {}; it must be {wanted}", shown(value)))
}

/// A request's own text in a message: short and harmless.
fn shown(text: &str) -> String {
    let short: String = visible(text).chars().take(60).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::super::endpoints;
    use super::*;

    fn ask(name: &str, query: &[(&str, &str)]) -> Result<Question, Problem> {
        let pairs: Vec<(String, String)> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parse(endpoints::find(name).unwrap(), &pairs)
    }

    #[test]
    fn what_is_not_on_a_list_is_refused_with_the_list() {
        for (query, words) in [
            (("nonsense", "1"), "there is no parameter \"nonsense\"; this path takes from, to, limit"),
            (("sort", "explanation; drop table"), "it must be one of score, hits"),
            (("order", "up"), "it must be one of asc, desc"),
            (("limit", "1001"), "a whole number from 1 to 1000"),
            (("limit", "+5"), "a whole number"),
            (("offset", "99999999999999999999999"), "a whole number"),
            (("ip", "localhost"), "an IP address"),
            (("severity", "' OR 1=1"), "one of none, low"),
            (("min_score", "NaN"), "a number from 0 to 1"),
            (("from", "yesterday"), "a time such as"),
            (("host", "a\0b"), "NUL"),
        ] {
            let problem = ask("sessions", &[query]).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.message.contains(words), "{query:?}: {}", problem.message);
        }
        assert!(ask("sessions", &[("host", "a"), ("host", "b")]).unwrap_err().message.contains("given twice"));
        let five = [("ip", "::1"), ("ja4", "a"), ("host", "b"), ("country", "c"), ("asn", "1")];
        assert!(ask("sessions", &five).unwrap_err().message.contains("at most 4"));
        let backwards = [("from", "2026-01-02T00:00:00Z"), ("to", "2026-01-01T00:00:00Z")];
        assert!(ask("sessions", &backwards).unwrap_err().message.contains("empty"));
        assert!(ask("sessions", &[("host", &"ü".repeat(257))]).is_err());
    }

    #[test]
    fn values_are_brought_to_the_stored_form() {
        let question = ask("detections", &[("ip", "::ffff:192.0.2.7"), ("from", "1970-01-01T01:00:00Z")]).unwrap();
        assert_eq!(question.filters, [(1, "192.0.2.7".to_owned())]);
        assert_eq!(question.range.0, 3_600_000);
        assert!(question.descending);
    }
}
