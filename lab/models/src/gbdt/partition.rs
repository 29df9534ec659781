//! Sends a node's rows to its children, keeping their order, on all threads.
//!
//! Rows carry their derivatives with them, so histogram building reads both in sequence. Work is cut into chunks of a
//! fixed size; where a row lands depends on the rows alone, never on the threads.

use rayon::prelude::*;

const CHUNK_ROWS: usize = 16_384;

/// A training row on its way through a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Row {
    pub(super) index: u32,
    pub(super) gradient: f32,
    pub(super) hessian: f32,
}

/// Stable partition of `rows` by `goes_left`, through `spare` (as long as `rows`); returns how many went left.
pub(super) fn partition(rows: &mut [Row], spare: &mut [Row], goes_left: impl Fn(u32) -> bool + Sync) -> usize {
    // Each chunk, into its own part of `spare`: rows for the left from the front, for the right behind them.
    let lefts: Vec<usize> = rows
        .par_chunks(CHUNK_ROWS)
        .zip(spare.par_chunks_mut(CHUNK_ROWS))
        .map(|(from, to)| split_chunk(from, to, &goes_left))
        .collect();
    let total: usize = lefts.iter().sum();
    // Then every part to its place: all lefts in chunk order, all rights in chunk order.
    let (mut left_rest, mut right_rest) = rows.split_at_mut(total);
    let mut moves = Vec::with_capacity(lefts.len());
    for (from, &count) in spare.chunks(CHUNK_ROWS).zip(&lefts) {
        let (left_to, rest) = left_rest.split_at_mut(count);
        left_rest = rest;
        let (right_to, rest) = right_rest.split_at_mut(from.len() - count);
        right_rest = rest;
        moves.push((from, left_to, right_to));
    }
    moves.into_par_iter().for_each(|(from, left_to, right_to)| {
        left_to.copy_from_slice(&from[..left_to.len()]);
        right_to.copy_from_slice(&from[left_to.len()..]);
    });
    total
}

/// Without branches: every row is written to both ends and one of the cursors moves.
fn split_chunk(from: &[Row], to: &mut [Row], goes_left: &impl Fn(u32) -> bool) -> usize {
    let (mut left, mut right) = (0, from.len());
    for &row in from {
        let is_left = goes_left(row.index);
        to[if is_left { left } else { right - 1 }] = row;
        left += usize::from(is_left);
        right -= usize::from(!is_left);
    }
    to[left..from.len()].reverse();
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_on_both_sides_across_chunks() {
        let mut rows: Vec<Row> = (0..50_000).map(|index| Row { index, ..Row::default() }).collect();
        let mut spare = rows.clone();
        let left = partition(&mut rows, &mut spare, |index| index % 3 == 0);
        assert_eq!(left, 16_667);
        assert!(rows[..left].iter().enumerate().all(|(at, row)| row.index as usize == at * 3));
        assert!(rows[left..].windows(2).all(|pair| pair[0].index < pair[1].index && pair[0].index % 3 != 0));
    }
}
