//! Cuts a byte stream into lines of bounded length.
//!
//! Promises: memory is bounded by the longest line allowed plus one read; how the stream is split into reads never changes what
//! comes out; every byte is part of exactly one line; an over-long line is reported once, with its length, and skipped.
//!
//! Read next: `source.rs` (files at rest) and `tail.rs` (growing files) drive it.

use std::ops::Range;

use memchr::memchr;

use super::Position;

/// Bytes asked of a reader at once.
const READ_BYTES: usize = 128 * 1024;

/// One line, without its end (`\n` or `\r\n`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// Where it is in the buffer, until the next call of `space`.
    Line(Position, Range<usize>),
    /// A line longer than allowed, which was skipped; its length in bytes.
    TooLong(Position, u64),
}

/// Push bytes in by `space` and `filled`, take lines out by `next`.
#[derive(Debug)]
pub(super) struct LineSplitter {
    buffer: Vec<u8>,
    /// Unread bytes are `buffer[start..end]`; those before `scanned` hold no line end.
    start: usize,
    end: usize,
    scanned: usize,
    max_line_bytes: usize,
    /// Of the byte at `start`.
    position: Position,
    /// A line that is too long: where it began and its length so far.
    skipping: Option<(Position, u64)>,
}

impl LineSplitter {
    /// Starts at `position` of a stream.
    pub(super) fn new(max_line_bytes: usize, position: Position) -> Self {
        Self { buffer: Vec::new(), start: 0, end: 0, scanned: 0, max_line_bytes, position, skipping: None }
    }

    /// Where the next line begins.
    pub(super) fn position(&self) -> Position {
        self.skipping.map_or(self.position, |(begin, _)| begin)
    }

    /// Bytes of a line that has not ended yet.
    pub(super) fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Room to read into; never empty.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start > 0 && self.buffer.len() - self.end < READ_BYTES {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ_BYTES {
            self.buffer.resize(self.end + READ_BYTES, 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Says how many bytes were read into `space`.
    pub(super) fn filled(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(self.buffer.len());
    }

    /// The next line that has ended; with `at_end` also a last one without line end.
    pub(super) fn next(&mut self, at_end: bool) -> Option<Cut> {
        let unscanned = self.buffer.get(self.scanned..self.end).unwrap_or_default();
        if let Some(at) = memchr(b'\n', unscanned) {
            return Some(self.cut(self.scanned + at, 1));
        }
        self.scanned = self.end;
        if at_end && (self.end > self.start || self.skipping.is_some()) {
            return Some(self.cut(self.end, 0));
        }
        if self.skipping.is_some() || self.end - self.start > self.max_line_bytes {
            let (begin, length) = self.skipping.unwrap_or((self.position, 0));
            let dropped = (self.end - self.start) as u64;
            self.skipping = Some((begin, length.saturating_add(dropped)));
            self.position.byte_offset = self.position.byte_offset.saturating_add(dropped);
            self.start = self.end;
        }
        None
    }

    /// The bytes of a line.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Ends the line at `line_end`, which `end_bytes` of line end follow.
    fn cut(&mut self, line_end: usize, end_bytes: usize) -> Cut {
        let begin = self.position;
        let content = self.start..line_end;
        self.position.line = begin.line.saturating_add(1);
        self.position.byte_offset = begin.byte_offset.saturating_add((content.len() + end_bytes) as u64);
        self.start = (line_end + end_bytes).min(self.end);
        self.scanned = self.start;
        if let Some((begin, length)) = self.skipping.take() {
            return Cut::TooLong(begin, length.saturating_add(content.len() as u64));
        }
        if content.len() > self.max_line_bytes {
            return Cut::TooLong(begin, content.len() as u64);
        }
        let carriage_return = usize::from(self.bytes(content.clone()).last() == Some(&b'\r'));
        Cut::Line(begin, content.start..content.end - carriage_return)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(input: &[u8], max: usize, mut reads: impl FnMut() -> usize) -> Vec<(Position, Result<Vec<u8>, u64>)> {
        let mut splitter = LineSplitter::new(max, Position { line: 1, byte_offset: 0 });
        let mut rest = input;
        let mut out = Vec::new();
        loop {
            while let Some(cut) = splitter.next(rest.is_empty()) {
                out.push(match cut {
                    Cut::Line(position, range) => (position, Ok(splitter.bytes(range).to_vec())),
                    Cut::TooLong(position, bytes) => (position, Err(bytes)),
                });
            }
            if rest.is_empty() {
                return out;
            }
            let space = splitter.space();
            let n = reads().clamp(1, rest.len()).min(space.len());
            space.get_mut(..n).unwrap().copy_from_slice(rest.get(..n).unwrap());
            splitter.filled(n);
            rest = rest.get(n..).unwrap();
        }
    }

    #[test]
    fn ends_and_lengths() {
        let got = lines_of(b"a\r\n\nlonger\nxyz", 4, || 3);
        let text: Vec<_> = got.iter().map(|(p, l)| (p.line, p.byte_offset, l.clone())).collect();
        assert_eq!(text, [(1, 0, Ok(b"a".to_vec())), (2, 3, Ok(vec![])), (3, 4, Err(6)), (4, 11, Ok(b"xyz".to_vec()))]);
    }

    #[test]
    fn a_huge_line_takes_no_memory() {
        let mut splitter = LineSplitter::new(1_000, Position::default());
        for _ in 0..100 {
            let space = splitter.space();
            space.fill(b'x');
            let n = space.len();
            splitter.filled(n);
            assert_eq!(splitter.next(false), None);
        }
        assert!(splitter.buffer.len() <= 2 * READ_BYTES + 1_000, "{}", splitter.buffer.len());
        assert!(matches!(splitter.next(true), Some(Cut::TooLong(_, n)) if n >= 100 * READ_BYTES as u64));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn splitting_of_reads_changes_nothing(
            input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300),
            max in 1usize..40,
            sizes in proptest::collection::vec(1usize..50, 1..20),
        ) {
            let whole = lines_of(&input, max, || usize::MAX);
            let mut at = 0;
            let parts = lines_of(&input, max, || { at += 1; sizes[at % sizes.len()] });
            prop_assert_eq!(&whole, &parts);
            let naive: Vec<_> = input.split_inclusive(|b| *b == b'\n').map(|l| {
                let l = l.strip_suffix(b"\n").unwrap_or(l);
                if l.len() > max { Err(l.len() as u64) } else { Ok(l.strip_suffix(b"\r").unwrap_or(l).to_vec()) }
            }).collect();
            prop_assert_eq!(naive, whole.into_iter().map(|(_, l)| l).collect::<Vec<_>>());
        }
    }
}
