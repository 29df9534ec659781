//! Which sessions a fit takes where there are more than it needs: those whose ids are lowest.
//!
//! An id is a hash of the session's key, so the choice is as good as by lot, and yet the same in every run, on any store, in any order.
//! Promises: at most the number wanted, in the order given; a session that joins the table displaces at most one other; where
//! there are no more than wanted, all are taken. So the time of a fit is bounded however many sessions are scored.
//!
//! Read next: `write.rs` (what an id is), `mod.rs` (who is chosen from), `settings.rs` (`learn_max`).

/// Ids of all sessions, in the order of the frame, and how many a fit takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<'a> {
    pub ids: &'a [String],
    pub most: usize,
}

impl Sample<'_> {
    /// The chosen of `items`: first those that are `kept` anyhow, then by id; `row` gives an item's place in the frame.
    pub(super) fn of<T: Copy>(self, items: &[T], row: impl Fn(T) -> usize, kept: impl Fn(T) -> bool) -> Vec<T> {
        if items.len() <= self.most {
            return items.to_vec();
        }
        let id = |item: T| self.ids.get(row(item)).map_or("", String::as_str);
        let mut ranked: Vec<(bool, &str, usize)> =
            items.iter().enumerate().map(|(place, item)| (!kept(*item), id(*item), place)).collect();
        ranked.sort_unstable();
        let mut places: Vec<usize> = ranked.into_iter().take(self.most).map(|(_, _, place)| place).collect();
        places.sort_unstable();
        places.into_iter().filter_map(|place| items.get(place).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids as sessions have them.
    fn ids(count: i64) -> Vec<String> {
        (0..count).map(|n| super::super::session_id(n, "192.0.2.1", "t13d", "shop")).collect()
    }

    fn chosen(ids: &[String], items: &[usize], most: usize) -> Vec<usize> {
        Sample { ids, most }.of(items, |row| row, |_| false)
    }

    #[test]
    fn few_are_taken_whole_and_many_by_their_ids_whatever_their_order() {
        let ids = ids(500);
        let all: Vec<usize> = (0..500).collect();
        assert_eq!(chosen(&ids, &all, 500), all);
        let some = chosen(&ids, &all, 100);
        assert_eq!(some.len(), 100);
        assert!(some.is_sorted());
        let mut backwards = chosen(&ids, &all.iter().rev().copied().collect::<Vec<_>>(), 100);
        backwards.reverse();
        assert_eq!(some, backwards);
        let highest = some.iter().map(|row| &ids[*row]).max().unwrap();
        assert!(all.iter().filter(|row| !some.contains(row)).all(|row| ids[*row] > *highest));
        // As by lot: no part of the table is left out.
        assert!((10..=40).contains(&some.iter().filter(|row| **row < 125).count()), "{some:?}");
    }

    #[test]
    fn one_more_session_displaces_at_most_one() {
        let ids = ids(301);
        let before = chosen(&ids, &(0..300).collect::<Vec<_>>(), 50);
        let after = chosen(&ids, &(0..301).collect::<Vec<_>>(), 50);
        assert!(before.iter().filter(|row| !after.contains(row)).count() <= 1);
    }

    #[test]
    fn what_is_kept_anyhow_comes_first() {
        let ids = ids(200);
        let all: Vec<usize> = (0..200).collect();
        let found = Sample { ids: &ids, most: 20 }.of(&all, |row| row, |row| row % 50 == 7);
        assert!([7, 57, 107, 157].iter().all(|row| found.contains(row)), "{found:?}");
        assert_eq!(found.len(), 20);
    }
}
