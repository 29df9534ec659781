//! Tests of the readers as their users call them: JSON records, files, growing files, the recorded data set.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
mod formats;
mod json;
mod recorded;
mod tail;

use std::io::{Cursor, Read};

use ja4_event::HttpEvent;

use super::{Damage, HttpLog, HttpLogOptions};

/// A line in Combined format; `n` makes it distinct.
fn combined(n: usize) -> String {
    format!("10.0.0.{} - - [10/Oct/2000:13:55:{:02} -0700] \"GET /{n} HTTP/1.1\" 200 5 \"-\" \"UA\"", n % 250, n % 60)
}

fn combined_lines(range: std::ops::Range<usize>) -> String {
    range.map(|n| combined(n) + "\n").collect()
}

fn open_bytes(bytes: impl Into<Vec<u8>>) -> Result<HttpLog, crate::error::JoinError> {
    HttpLog::from_reader("test.log", Box::new(Cursor::new(bytes.into())), None, &HttpLogOptions::default())
}

fn read_all(mut log: HttpLog) -> (Vec<HttpEvent>, Damage) {
    let events = log.by_ref().collect();
    (events, log.damage().clone())
}

fn paths(events: &[HttpEvent]) -> Vec<&str> {
    events.iter().filter_map(|event| event.path.as_deref()).collect()
}

/// Gives its bytes in pieces of the sizes in turn.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.turn += 1;
        let rest = self.bytes.get(self.at..).unwrap();
        let n = self.sizes[self.turn % self.sizes.len()].min(rest.len()).min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}
