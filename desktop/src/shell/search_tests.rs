//! What a search is and is not, as an analyst types it.
//!
//! Read next: `search.rs`.

use super::*;

fn parse(text: &str) -> Search {
    Search::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_search_has_terms_and_an_order() {
    let search = parse("ip:192.0.2.7 ja4:t13d* score:>0.8 -host:shop.example sort:hits-desc \"two words\"");
    assert_eq!(search.terms.len(), 5);
    assert_eq!(search.sort, Some(("hits".to_owned(), true)));
    assert!(search.terms[3].not);
    assert_eq!(search.terms[1].test, Test::Any(vec![Pattern { text: "t13d".to_owned(), open_start: false, open_end: true }]));
    assert_eq!(search.terms[2].test, Test::Range { low: 0.8, low_open: true, high: f64::INFINITY, high_open: true });
    assert_eq!(search.terms[4].key, "");
}

#[test]
fn writing_and_parsing_agree() {
    for text in [
        "",
        "ip:2001:db8::7",
        "ip:192.0.2.*",
        "ua:*curl*,*wget*",
        "score:0.5..0.9 -status:404",
        "score:>=0.25 hits:<10 agreement:<=1",
        "-\"two words\"",
        "host:\"a b\" reason:\"says \\\"no\\\"\"",
        "path:\"/a,b\" sort:score-desc",
        "curl sort:time-asc",
    ] {
        let once = parse(text);
        assert_eq!(parse(&once.to_string()), once, "{text} became {once}");
    }
}

#[test]
fn hostile_text_is_only_ever_a_value() {
    let search = parse("host:\"'; drop table x; --\"");
    assert_eq!(
        search.terms[0].test,
        Test::Any(vec![Pattern { text: "'; drop table x; --".to_owned(), open_start: false, open_end: false }])
    );
    for text in ["\u{202e}abc", "ip:\u{0}", "a:b:c", "::::", "-", "- -", "*", "host:*", ",", "host:,"] {
        // No panic; whatever it means, it is said or searched.
        let _ = Search::parse(text);
    }
}

#[test]
fn what_is_wrong_is_said_with_what_to_write() {
    let wrong = |text: &str| Search::parse(text).unwrap_err();
    assert!(wrong("hosst:a").detail.contains("did you mean host"), "{}", wrong("hosst:a"));
    assert!(wrong("score:high").detail.contains("compares numbers"));
    assert!(wrong("score:>x").detail.contains("no number"));
    assert!(wrong("host:>3").detail.contains("is a text"));
    assert!(wrong("host:").detail.contains("needs a value"));
    assert!(wrong("sort:colour").detail.contains("names no column"));
    let error = wrong("ip:1 \"open");
    assert_eq!(error.at, 5);
}

#[test]
fn clicking_a_cell_adds_one_term_and_turns_it_round() {
    let search = parse("score:>0.5").with(false, "host", "a.example");
    assert_eq!(search.to_string(), "score:>0.5 host:a.example");
    let turned = search.with(true, "host", "a.example");
    assert_eq!(turned.to_string(), "score:>0.5 -host:a.example");
    assert_eq!(parse("").with(false, "status", "404").to_string(), "status:404");
    assert_eq!(parse("").with(false, "ua", "Mozilla/5.0 (X11)").to_string(), "ua:\"Mozilla/5.0 (X11)\"");
}

#[test]
fn completion_offers_keys_for_the_word_that_is_typed() {
    let offered: Vec<String> = completions("score:>0.8 -ho").into_iter().map(|(text, _)| text).collect();
    assert_eq!(offered, ["score:>0.8 -host:"]);
    assert!(completions("host:a").is_empty());
    assert!(completions("").len() > 20);
}
