//! Directives to steps: what each means, how its text ends, and whether a line can be read back at all.
//!
//! Promises: refuses, with positions, what would have to be guessed: directives without a separator, numbers followed by a
//! digit, two texts outside quotes that may both hold the blank that ends them, a log without a time.
//!
//! Read next: `scan.rs` runs the steps, `meaning.rs` knows the letters.

use std::sync::Arc;

use super::LogFormat;
use super::lex::{Directive, Item, config_line, lex};
use super::meaning::{Field, Shape, What, meaning};
use super::scan::{Step, Text};
use super::time::{Parts, Piece};
use crate::httplog::headers::NamedHeaders;

/// Compiles a format; the error is the rest of a sentence.
pub(super) fn compile(text: &str) -> Result<LogFormat, String> {
    let items = lex(&config_line(text)?)?;
    if !items.iter().any(|item| matches!(item, Item::Directive(_))) {
        return Err("it names no directive such as %h".to_owned());
    }
    let mut compiler = Compiler::default();
    let mut rest = items.as_slice();
    while let Some((item, after)) = rest.split_first() {
        rest = after;
        match item {
            Item::Literal(literal) => compiler.literal(literal),
            Item::Directive(first) => {
                let mut directive = first.clone();
                // %U%q is how the manual writes the target.
                if let (true, Some((Item::Directive(second), after))) = (first.code == "U", rest.split_first())
                    && second.code == "q"
                {
                    directive.text.push_str(&second.text);
                    directive.code.push('q');
                    rest = after;
                }
                compiler.directive(&directive, rest.first())?;
            }
        }
    }
    compiler.finish(text)
}

#[derive(Default)]
struct Compiler {
    steps: Vec<Step>,
    fields: Vec<Field>,
    named: NamedHeaders,
    /// The last text outside quotes since anything that such a text cannot hold.
    open: Option<String>,
}

impl Compiler {
    fn literal(&mut self, literal: &str) {
        if literal.contains(is_escaped_in_text) {
            self.open = None;
        }
        self.steps.push(Step::Literal(literal.as_bytes().into()));
    }

    fn directive(&mut self, directive: &Directive, next: Option<&Item>) -> Result<(), String> {
        let place = format!("{} at position {}", directive.text, directive.at);
        let (mut what, shape) = meaning(directive).map_err(|why| format!("{place} {why}"))?;
        let step = match shape {
            Shape::Digits | Shape::Mark => {
                separated(&place, next)?;
                if matches!(next, Some(Item::Literal(l)) if l.starts_with(|c: char| c.is_ascii_digit()))
                    && matches!(shape, Shape::Digits)
                {
                    return Err(format!("{place} is a number and a digit follows it; put a separator between them"));
                }
                if matches!(shape, Shape::Digits) { Step::Digits } else { Step::Mark }
            }
            Shape::Time => {
                let What::Time { pieces, .. } = &mut what else { return Err(format!("{place} is no time")) };
                *pieces = fixed_width(pieces, &place, next)?;
                if matches!(&**pieces, [Piece::CommonLog]) {
                    self.open = None;
                }
                Step::Time { pieces: Arc::clone(pieces), or_dash: directive.conditional }
            }
            Shape::Text(text) => {
                separated(&place, next)?;
                self.text_step(&place, text, next)?
            }
        };
        if let What::Header(name) = &what {
            self.named.learn(name);
        }
        self.steps.push(step);
        self.fields.push(Field { directive: directive.text.clone(), what });
        Ok(())
    }

    fn text_step(&mut self, place: &str, text: Text, next: Option<&Item>) -> Result<Step, String> {
        let step = match next {
            Some(Item::Literal(until)) => match until.bytes().next() {
                Some(quote) if is_escaped_in_text(char::from(quote)) => return Ok(Step::Quoted(quote)),
                _ if until.contains(is_escaped_in_text) => return Ok(Step::Until(until.as_bytes().into())),
                _ => Step::Retry { until: until.as_bytes().into(), text },
            },
            _ => Step::Rest(text),
        };
        if text == Text::Open
            && let Some(other) = self.open.replace(place.to_owned())
        {
            return Err(format!(
                "{other} and {place} stand outside quotes and may both hold blanks, so that a line can be read in two ways; put them \
                 between quotes, as in \\\"%r\\\""
            ));
        }
        Ok(step)
    }

    fn finish(mut self, text: &str) -> Result<LogFormat, String> {
        let pieces_of = |fields: &[Field], wanted: bool| -> Vec<Piece> {
            let times =
                fields.iter().filter_map(|f| if let What::Time { pieces, end } = &f.what { Some((pieces, *end)) } else { None });
            times.filter(|(_, end)| *end == wanted).flat_map(|(pieces, _)| pieces.iter().cloned()).collect()
        };
        let (begin, end) = (Parts::complete(&pieces_of(&self.fields, false)), Parts::complete(&pieces_of(&self.fields, true)));
        let use_end = match (begin.time, end.time) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => return Err("it names no complete time; add %t or, better, %{usec}t".to_owned()),
        };
        for field in &mut self.fields {
            if matches!(&field.what, What::Time { end, .. } if *end != use_end) {
                field.what = What::Nothing;
            }
        }
        let zone_known = if use_end { end.zone } else { begin.zone };
        let caveats = caveats(&self.fields, use_end, zone_known);
        Ok(LogFormat { text: text.to_owned(), steps: self.steps, fields: self.fields, named: self.named, caveats })
    }
}

/// Characters that Apache never writes as they are inside a value (`T_ESCAPE_LOGITEM`).
fn is_escaped_in_text(c: char) -> bool {
    c == '"' || c.is_ascii_control()
}

fn separated(place: &str, next: Option<&Item>) -> Result<(), String> {
    match next {
        Some(Item::Directive(next)) => {
            Err(format!("{place} is followed directly by {} at position {}; put a separator between them", next.text, next.at))
        }
        _ => Ok(()),
    }
}

/// A time ends by itself, except where its last number has no fixed width.
fn fixed_width(pieces: &Arc<[Piece]>, place: &str, next: Option<&Item>) -> Result<Arc<[Piece]>, String> {
    let Some(Piece::Epoch(unit_ns, 0)) = pieces.last() else { return Ok(Arc::clone(pieces)) };
    match next {
        // %{sec}t%{usec_frac}t: seconds have ten digits from 2001 to 2286.
        Some(Item::Directive(next))
            if next.code == "t"
                && next.arg.as_deref().is_some_and(|a| a.ends_with("_frac"))
                && pieces.len() == 1
                && *unit_ns == 1_000_000_000 =>
        {
            Ok(Arc::from([Piece::Epoch(*unit_ns, 10)]))
        }
        Some(Item::Literal(l)) if l.starts_with(|c: char| c.is_ascii_digit()) => {
            Err(format!("{place} is a number and a digit follows it; put a separator between them"))
        }
        next => separated(place, next).map(|()| Arc::clone(pieces)),
    }
}

fn caveats(fields: &[Field], use_end: bool, zone_known: bool) -> Vec<&'static str> {
    let has = |what: &What| fields.iter().any(|f| f.what == *what);
    let duration = fields.iter().any(|f| matches!(f.what, What::Duration(_)));
    let table = [
        (!has(&What::RemotePort), "the format names no peer port (%{remote}p): requests are joined by time and host only"),
        (
            !has(&What::PeerAddress) && !has(&What::PeerHost),
            "the format names no %{c}a: behind mod_remoteip its address is not that of the connection",
        ),
        (!has(&What::BytesOut) && has(&What::BodyBytes), "response_bytes is without headers (%b); log %O"),
        (!zone_known, "the format names no time zone (%z): its times are taken as UTC"),
        (use_end && !duration, "the format tells the end of each response and not how long it took: log %t or %D"),
        (has(&What::Target), "%U%q is split at the first question mark, which a decoded path may hold"),
    ];
    table.into_iter().filter(|(applies, _)| *applies).map(|(_, text)| text).collect()
}
