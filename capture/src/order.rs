//! Results held back until their order is certain, within a bound.
//!
//! Promises: the one with the earliest start goes first, the earlier first packet breaks ties; places are used again, so that what
//! is held keeps its memory if whoever puts it there wants so; beyond the bound the earliest goes out whatever may still come.
//!
//! Read next: `run.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::limits::{Gauge, PolicyReport};

/// Holds values of type `T` back; `T` stays in its place when it is taken, emptied by whoever takes it.
#[derive(Debug)]
pub(crate) struct InOrder<T> {
    /// Start, number and place of each value held (a packet begins one connection, so the number breaks every tie of time); the
    /// values themselves are not moved about.
    order: BinaryHeap<Reverse<(i64, u64, usize)>>,
    places: Vec<T>,
    free: Vec<usize>,
    bound: usize,
    gauge: Gauge,
}

impl<T: Default> InOrder<T> {
    /// Holds so many values.
    pub fn new(bound: usize) -> Self {
        Self { order: BinaryHeap::new(), places: Vec::new(), free: Vec::new(), bound, gauge: Gauge::default() }
    }

    /// Holds one more value, which `put` writes to its place.
    pub fn hold(&mut self, start_ns: i64, number: u64, put: impl FnOnce(&mut T)) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(T::default());
            self.places.len().saturating_sub(1)
        });
        if let Some(free) = self.places.get_mut(place) {
            put(free);
        }
        self.order.push(Reverse((start_ns, number, place)));
        self.gauge.set(self.order.len());
    }

    /// What has to go because more than the bound is held.
    pub fn release_over_bound(&mut self, take: impl FnMut(&mut T)) {
        self.release(self.bound, take);
    }

    /// Everything that is held.
    pub fn release_all(&mut self, take: impl FnMut(&mut T)) {
        self.release(0, take);
    }

    /// A line for the limits report.
    pub fn policy(&self) -> PolicyReport {
        PolicyReport::new("records held back for order", self.bound, self.gauge, "print the record with the earliest start")
    }

    fn release(&mut self, keep: usize, mut take: impl FnMut(&mut T)) {
        while self.order.len() > keep {
            let Some(Reverse((.., place))) = self.order.pop() else { return };
            self.free.push(place);
            if let Some(value) = self.places.get_mut(place) {
                take(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_goes_first_and_places_are_used_again() {
        let mut held = InOrder::<Vec<u8>>::new(2);
        let mut out = Vec::new();
        for (start_ns, number) in [(5, 1), (3, 2), (4, 3), (3, 4), (9, 5)] {
            held.hold(start_ns, number, |place| {
                place.clear();
                place.push(number as u8);
            });
            held.release_over_bound(|place| out.append(place));
        }
        held.release_all(|place| out.append(place));
        assert_eq!((out, held.places.len()), (vec![2, 4, 3, 1, 5], 3));
    }
}
