//! The page: a head, sections, tables and figures, all in one text.
//!
//! Promises: whatever is handed in as text comes out as text; only figures of `svg.rs` are put in as they are.
//!
//! Read next: `mod.rs`.

use std::fmt::Write as _;

use super::svg::escaped;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:76rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #ccc}\
table{border-collapse:collapse;font-size:13px;display:block;overflow-x:auto}\
th,td{padding:.2rem .6rem;border-bottom:1px solid #eee;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
td.n{text-align:right;font-variant-numeric:tabular-nums}th{background:#f4f4f4}code{font-size:12px;overflow-wrap:anywhere}\
pre{background:#f4f4f4;padding:.6rem;font-size:12px;overflow-x:auto}\
figure{margin:1rem 0;overflow-x:auto}.note{color:#555}";

/// A page being written.
#[derive(Debug)]
pub struct Page {
    body: String,
}

impl Page {
    /// Begins a page.
    #[must_use]
    pub fn new(title: &str) -> Self {
        let mut body = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
        // Belt and braces: even if something slipped through, no browser would load or run it.
        body += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">";
        let _ = write!(body, "<title>{0}</title><style>{STYLE}</style></head><body>\n<h1>{0}</h1>\n", escaped(title));
        Self { body }
    }

    /// A section.
    pub fn section(&mut self, title: &str) {
        let _ = writeln!(self.body, "<h2>{}</h2>", escaped(title));
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{}</p>", escaped(text));
    }

    /// A list of sentences; nothing for none.
    pub fn list(&mut self, items: &[String]) {
        if !items.is_empty() {
            let lines: String = items.iter().map(|item| format!("<li>{}</li>", escaped(item))).collect();
            let _ = writeln!(self.body, "<ul class=\"note\">{lines}</ul>");
        }
    }

    /// A table; cells that are numbers stand to the right. Without rows the sentence `empty`.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>], empty: &str) {
        if rows.is_empty() {
            self.paragraph(empty);
            return;
        }
        let head: String = header.iter().map(|name| format!("<th>{}</th>", escaped(name))).collect();
        let _ = writeln!(self.body, "<table><thead><tr>{head}</tr></thead><tbody>");
        for row in rows {
            let cells = row.iter().map(|cell| {
                let class = if cell.parse::<f64>().is_ok() { " class=\"n\"" } else { "" };
                format!("<td{class}>{}</td>", escaped(cell))
            });
            let _ = writeln!(self.body, "<tr>{}</tr>", cells.collect::<String>());
        }
        self.body += "</tbody></table>\n";
    }

    /// A text as it was written, line by line.
    pub fn verbatim(&mut self, text: &str) {
        let lines: Vec<String> = text.lines().map(escaped).collect();
        let _ = writeln!(self.body, "<pre>{}</pre>", lines.join("\n"));
    }

    /// A figure that `svg.rs` made.
    pub fn figure(&mut self, svg: &str) {
        let _ = writeln!(self.body, "<figure>{svg}</figure>");
    }

    /// The whole text.
    #[must_use]
    pub fn finish(self) -> String {
        self.body + "</body></html>\n"
    }
}
