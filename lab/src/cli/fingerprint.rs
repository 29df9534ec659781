//! `fingerprint`: every connection of the captures, one object each, without a database.
//!
//! Promises: rows are written as connections end, not at the end of the run, and made text by the threads that found them; damage is
//! told on stderr with file and offset; an empty result comes with its reason.
//!
//! Read next: `ja4_capture::fingerprint_files`.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use comfy_table::Cell;
use ja4_capture::{ConnectionRecord, Options, fingerprint_files, fingerprint_lines, jsonl};

use super::args::{FingerprintArgs, RowFormat};
use super::console::{self, Console};
use crate::error::LabError;
use crate::render::{new_table, visible};

/// Connections shown as a table; beyond it a table is no longer for people.
const TABLE_ROWS: usize = 10_000;

pub fn run(args: &FingerprintArgs, threads: usize, console: &Console) -> Result<(), LabError> {
    let options = Options { threads, keylog: args.keylog.clone(), ..Options::default() };
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut failed: io::Result<()> = Ok(());
    let mut table = Vec::new();
    if args.format == RowFormat::Csv {
        failed = jsonl::write_csv_header(&mut out);
    }
    let mut write = |line: &[u8]| {
        if failed.is_ok() {
            failed = out.write_all(line);
        }
        if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let summary = match args.format {
        RowFormat::Jsonl => fingerprint_lines(&args.captures, &options, jsonl::push_json_line, &mut write),
        RowFormat::Csv => fingerprint_lines(&args.captures, &options, jsonl::push_csv_line, &mut write),
        RowFormat::Table => fingerprint_files(&args.captures, &options, &mut |record| {
            if table.len() < TABLE_ROWS {
                table.push(cells(&record));
            }
        }),
    };
    // A run that was stopped because nothing could be written says why.
    failed.map_err(LabError::Output)?;
    let summary = summary?;
    if args.format == RowFormat::Table {
        write_table(&mut out, table).map_err(LabError::Output)?;
    }
    out.flush().map_err(LabError::Output)?;
    drop(out);
    for damage in &summary.damage {
        console.note(&format!("damaged capture: {damage}"));
    }
    for sentence in &summary.failed_files {
        console.note(sentence);
    }
    let counters = &summary.counters;
    if counters.packets == 0 {
        console.note("nothing to show: the captures hold no packets");
    } else if counters.records == 0 {
        console.note("nothing to show: no connection with TLS, QUIC, DTLS, SSH, clear-text HTTP or a SYN was found");
    }
    console.detail(&format!("{} packets, {} bytes, {} handshakes", counters.packets, counters.bytes, counters.tls_handshakes));
    for policy in summary.policies.iter().filter(|policy| policy.evictions > 0) {
        let text = format!("bound {} (limit {}) acted {} times: {}", policy.table, policy.limit, policy.evictions, policy.policy);
        console.note(&text);
    }
    Ok(())
}

fn cells(record: &ConnectionRecord) -> Vec<String> {
    let text = |value: Option<&str>| visible(value.unwrap_or("-"));
    vec![
        format!("{}:{}", record.src, record.sport),
        format!("{}:{}", record.dst, record.dport),
        record.transport.as_str().to_owned(),
        text(record.sni.as_deref()),
        visible(&record.alpn.join(",")),
        text(record.ja4()),
        text(record.ja3()),
        text(record.ja4s()),
        text(record.ja4t.as_deref()),
    ]
}

fn write_table(out: &mut impl Write, rows: Vec<Vec<String>>) -> io::Result<()> {
    let mut table = new_table(console::width());
    table.set_header(["client", "server", "", "SNI", "ALPN", "JA4", "JA3", "JA4S", "JA4T"].map(Cell::new));
    for row in rows {
        table.add_row(row);
    }
    writeln!(out, "{table}")
}
