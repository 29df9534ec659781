//! A `LogFormat` string into literals and directives, as `parse_log_string` of mod_log_config does.
//!
//! Promises: every directive keeps its position (characters from 1) and its spelling, for messages.
//!
//! Read next: `compile.rs`.

/// A part of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Text that stands in each line as it is.
    Literal(String),
    Directive(Directive),
}

/// `%…`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Directive {
    /// Position of the `%`.
    pub at: usize,
    /// As written.
    pub text: String,
    /// The letter, or `^` and two letters.
    pub code: String,
    /// What stands in braces.
    pub arg: Option<String>,
    /// Printed for some statuses only, `-` for the others.
    pub conditional: bool,
    /// `Some(true)` for `<`, `Some(false)` for `>`.
    pub original: Option<bool>,
}

/// Splits a format.
pub(super) fn lex(format: &str) -> Result<Vec<Item>, String> {
    let chars: Vec<char> = format.chars().collect();
    let mut lexer = Lexer { chars: &chars, at: 0 };
    let mut items = Vec::new();
    let mut literal = String::new();
    while let Some(c) = lexer.take() {
        match c {
            '\\' => lexer.escape(&mut literal),
            '%' if lexer.peek() == Some('%') => {
                lexer.at += 1;
                literal.push('%');
            }
            '%' => {
                let directive = lexer.directive()?;
                if !literal.is_empty() {
                    items.push(Item::Literal(std::mem::take(&mut literal)));
                }
                items.push(Item::Directive(directive));
            }
            c => literal.push(c),
        }
    }
    // A format pasted with its line end.
    let literal = literal.trim_end_matches(['\n', '\r']);
    if !literal.is_empty() {
        items.push(Item::Literal(literal.to_owned()));
    }
    Ok(items)
}

/// The format inside a line `LogFormat "…" name` of a configuration, or `text` as it is.
pub(super) fn config_line(text: &str) -> Result<String, String> {
    let trimmed = text.trim_start();
    let keyword = trimmed.get(..9).is_some_and(|word| word.eq_ignore_ascii_case("LogFormat"));
    let Some(rest) = trimmed.get(9..).filter(|rest| keyword && rest.starts_with(char::is_whitespace)) else {
        return Ok(text.to_owned());
    };
    let rest = rest.trim_start();
    let mut chars = rest.chars();
    let quote = match chars.next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => return Err("after the word LogFormat a text in quotes is expected".to_owned()),
    };
    let mut format = String::new();
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Ok(format),
            // ap_getword_conf: a backslash protects itself and the quote; at a line end it joins lines.
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(next) if next == quote || next == '\\' => format.push(next),
                Some(next) => format.extend(['\\', next]),
                None => format.push('\\'),
            },
            c => format.push(c),
        }
    }
    Err("the text in quotes after the word LogFormat has no end".to_owned())
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn escape(&mut self, literal: &mut String) {
        match self.take() {
            Some('n') => literal.push('\n'),
            Some('r') => literal.push('\r'),
            Some('t') => literal.push('\t'),
            Some(c @ ('"' | '\\' | '\'')) => literal.push(c),
            Some(c) => literal.extend(['\\', c]),
            None => literal.push('\\'),
        }
    }

    /// After the `%`.
    fn directive(&mut self) -> Result<Directive, String> {
        let start = self.at;
        let mut directive = Directive { at: start, ..Directive::default() };
        loop {
            match self.take() {
                Some('!' | ',') => directive.conditional = true,
                Some(c) if c.is_ascii_digit() => directive.conditional = true,
                Some('<') => directive.original = Some(true),
                Some('>') => directive.original = Some(false),
                Some('{') => directive.arg = Some(self.argument(start)?),
                Some('^') => {
                    directive.code = std::iter::once('^').chain([self.take(), self.take()].into_iter().flatten()).collect();
                    break;
                }
                Some(c) => {
                    directive.code = c.to_string();
                    break;
                }
                None => return Err(format!("the directive that begins at position {start} is not finished")),
            }
        }
        directive.text = std::iter::once('%').chain(self.chars.get(start..self.at).unwrap_or_default().iter().copied()).collect();
        Ok(directive)
    }

    fn argument(&mut self, start: usize) -> Result<String, String> {
        let mut arg = String::new();
        loop {
            match self.take() {
                Some('}') => return Ok(arg),
                Some(c) => arg.push(c),
                None => return Err(format!("the directive that begins at position {start} lacks its closing brace")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_and_literals() {
        let items = lex("100%% \\\"%!200,304{User-Agent}i\\\"\t%>s%{v}^ti").unwrap();
        let (Item::Directive(agent), Item::Directive(status), Item::Directive(trailer)) = (&items[1], &items[3], &items[4])
        else {
            panic!("{items:?}")
        };
        assert_eq!(items[0], Item::Literal("100% \"".into()));
        assert_eq!((agent.at, agent.text.as_str(), agent.conditional), (9, "%!200,304{User-Agent}i", true));
        assert_eq!(agent.arg.as_deref(), Some("User-Agent"));
        assert_eq!((status.code.as_str(), status.original), ("s", Some(false)));
        assert_eq!(trailer.code, "^ti");
        assert_eq!(items[2], Item::Literal("\"\t".into()));
    }

    #[test]
    fn configuration_lines() {
        assert_eq!(config_line(r#"LogFormat "%h \"%r\" \\t" name"#).unwrap(), r#"%h "%r" \t"#);
        assert_eq!(config_line("  logformat '%h' x").unwrap(), "%h");
        assert_eq!(config_line("%h").unwrap(), "%h");
        assert!(config_line("LogFormat \"%h").is_err());
        assert!(config_line("LogFormat combined").is_err());
        assert!(lex("%{User-Agent").is_err());
        assert!(lex("%h %").is_err());
    }
}
