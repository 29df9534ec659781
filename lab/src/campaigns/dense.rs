//! Which sessions lie together: HDBSCAN over all of them, or, where there are very many, over some that stand for the others.
//!
//! Clustering compares sessions with each other, so its time grows with the square of their number. Beyond a bound (setting `cluster_max`) one session
//! stands for each actor (the same software at the same address, which are one group in any case), and of more actors than the bound
//! those whose ids are lowest: an id is a hash, so the choice is as good as by lot and the same in every run. A session that was not chosen
//! joins the dense group of its own software whose middle is nearest, if it lies no farther from it than a member of that group does.
//!
//! Promises: up to the bound nothing differs from clustering everything; beyond it the work is bounded by the square of the bound and by
//! sessions times groups of one software; the order of sessions decides nothing.
//!
//! Read next: `group.rs` (what is made of dense groups), `features.rs` (places).

use std::collections::{BTreeMap, HashMap};

use ja4_models::Matrix;
use ja4_models::cluster::HdbscanParams;
use rayon::prelude::*;

use super::Session;
use super::group::BY_IDENTITY;
use crate::error::LabError;

/// Gives where sessions lie, by their numbers: one row each.
pub(super) type Places<'a> = dyn Fn(&[usize]) -> Result<Matrix, LabError> + Sync + 'a;

/// Sessions whose places are held at a time, by each thread.
const PLACED_AT_ONCE: usize = 1024;

/// The dense group of each session and how firmly it belongs there.
#[derive(Debug)]
pub(super) struct Dense {
    labels: Vec<Option<u32>>,
    memberships: Vec<f64>,
}

impl Dense {
    /// Finds the dense groups of the sessions, clustering at most `most` of them; `places` gives where some of them lie.
    pub(super) fn find(places: &Places<'_>, sessions: &[Session], softwares: &[usize], most: usize) -> Result<Self, LabError> {
        if sessions.len() <= most {
            return Self::clustered(&places(&(0..sessions.len()).collect::<Vec<_>>())?);
        }
        let chosen = chosen(sessions, softwares, most);
        let matrix = places(&chosen)?;
        let some = Self::clustered(&matrix)?;
        let parts = Parts::of(&matrix, softwares, &chosen, &some);
        let mut all = Self { labels: vec![None; sessions.len()], memberships: vec![0.0; sessions.len()] };
        let blocks = all.labels.par_chunks_mut(PLACED_AT_ONCE).zip(all.memberships.par_chunks_mut(PLACED_AT_ONCE)).enumerate();
        blocks.try_for_each(|(block, (labels, memberships))| {
            let start = block * PLACED_AT_ONCE;
            let known = |row: &usize| softwares.get(*row).is_some_and(|software| parts.0.contains_key(software));
            let rows: Vec<usize> = (start..start + labels.len()).filter(known).collect();
            let matrix = places(&rows)?;
            for (place, row) in rows.into_iter().enumerate() {
                let found = softwares.get(row).and_then(|software| parts.nearest(*software, matrix.row(place)));
                if let (Some(_), Some(label), Some(firm)) = (found, labels.get_mut(row - start), memberships.get_mut(row - start))
                {
                    (*label, *firm) = (found, BY_IDENTITY);
                }
            }
            Ok::<(), LabError>(())
        })?;
        for ((row, label), membership) in chosen.iter().zip(some.labels).zip(some.memberships) {
            if let (Some(slot), Some(firm)) = (all.labels.get_mut(*row), all.memberships.get_mut(*row)) {
                (*slot, *firm) = (label, membership);
            }
        }
        Ok(all)
    }

    /// The dense group of a session.
    pub(super) fn label(&self, row: usize) -> Option<u32> {
        self.labels.get(row).copied().flatten()
    }

    /// How firmly it belongs there, 0 to 1; `None` where it lies in none.
    pub(super) fn membership(&self, row: usize) -> Option<f64> {
        self.label(row).and_then(|_| self.memberships.get(row).copied())
    }

    fn clustered(matrix: &Matrix) -> Result<Self, LabError> {
        let settings = HdbscanParams::default().min_cluster_size(least(matrix.rows())).min_samples(1).resolution(0.02).check()?;
        let found = settings.fit(matrix)?;
        Ok(Self { labels: found.labels, memberships: found.probabilities })
    }
}

/// Sessions that make a group: two alike are a campaign among a hundred; among ten thousand it takes more to stand out.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a small count")]
pub(super) fn least(sessions: usize) -> usize {
    ((sessions as f64).sqrt() / 8.0).round().clamp(2.0, 25.0) as usize
}

/// Rows that stand for all, ascending: of each actor the session with the lowest id, and of those the `most` lowest.
fn chosen(sessions: &[Session], softwares: &[usize], most: usize) -> Vec<usize> {
    let mut actors: HashMap<(&str, usize), (&str, usize)> = HashMap::new();
    for (row, (session, software)) in sessions.iter().zip(softwares).enumerate() {
        let own = (session.id.as_str(), row);
        let lowest = actors.entry((&session.src_ip, *software)).or_insert(own);
        *lowest = own.min(*lowest);
    }
    let mut ranked: Vec<(&str, usize)> = actors.into_values().collect();
    ranked.sort_unstable();
    let mut rows: Vec<usize> = ranked.into_iter().take(most).map(|(_, row)| row).collect();
    rows.sort_unstable();
    rows
}

/// The dense groups, each divided by software: a middle, and how far from it its members lie.
struct Parts(BTreeMap<usize, Vec<Part>>);

struct Part {
    label: u32,
    middle: Vec<f64>,
    /// Squared distance of the farthest member from the middle.
    reach: f64,
}

impl Parts {
    /// Of the chosen rows, which lie at the places of `matrix`.
    fn of(matrix: &Matrix, softwares: &[usize], chosen: &[usize], dense: &Dense) -> Self {
        let mut members: BTreeMap<(usize, u32), Vec<usize>> = BTreeMap::new();
        for (place, row) in chosen.iter().enumerate() {
            if let (Some(software), Some(label)) = (softwares.get(*row), dense.label(place)) {
                members.entry((*software, label)).or_default().push(place);
            }
        }
        let mut parts: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
        for ((software, label), rows) in members {
            let middle = middle(matrix, &rows);
            let reach = rows.iter().map(|row| squared(&middle, matrix.row(*row))).fold(0.0, f64::max);
            parts.entry(software).or_default().push(Part { label, middle, reach });
        }
        Self(parts)
    }

    /// The group of this software that a place belongs to; of equally near ones the first.
    fn nearest(&self, software: usize, place: &[f64]) -> Option<u32> {
        let parts = self.0.get(&software)?;
        let near = parts.iter().map(|part| (squared(&part.middle, place), part));
        let (distance, part) = near.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.label.cmp(&b.1.label)))?;
        (distance <= part.reach).then_some(part.label)
    }
}

#[allow(clippy::cast_precision_loss, reason = "a count of sessions")]
fn middle(matrix: &Matrix, rows: &[usize]) -> Vec<f64> {
    let mut sums = vec![0.0; matrix.columns()];
    for row in rows {
        sums.iter_mut().zip(matrix.row(*row)).for_each(|(sum, value)| *sum += value);
    }
    sums.iter_mut().for_each(|sum| *sum /= rows.len().max(1) as f64);
    sums
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use ja4_models::{FeatureSet, Rng};

    use super::*;
    use crate::campaigns::group::Softwares;

    /// Four programs far apart, each from many addresses, one session an address.
    fn programs(sessions: usize) -> (Matrix, Vec<Session>, Vec<usize>) {
        let mut rng = Rng::stream(5, 0);
        let mut values = Vec::new();
        let made: Vec<Session> = (0..sessions)
            .map(|n| {
                let program = n % 4;
                values.extend((0..6).map(|column| if column == program { 10.0 } else { 0.0 } + 0.1 * rng.normal()));
                let src_ip = format!("192.0.{}.{}", n / 250, n % 250);
                let id = crate::cycle::session_id(0, &src_ip, "t", "shop");
                Session { id, src_ip, user_agent: format!("tool/{program}"), ..Session::default() }
            })
            .collect();
        let softwares = Softwares::of(&made).of;
        (Matrix::new(FeatureSet::numbered(6).unwrap(), values).unwrap(), made, softwares)
    }

    #[test]
    fn beyond_the_bound_the_same_programs_are_found_and_hardly_a_session_is_left_out() {
        let (matrix, sessions, softwares) = programs(1200);
        let dense = Dense::find(&|rows| Ok(matrix.select_rows(rows)), &sessions, &softwares, 300).unwrap();
        let mut labels: BTreeMap<usize, BTreeMap<Option<u32>, usize>> = BTreeMap::new();
        (0..1200).for_each(|row| *labels.entry(row % 4).or_default().entry(dense.label(row)).or_default() += 1);
        let most = |counts: &BTreeMap<Option<u32>, usize>| counts.iter().max_by_key(|(_, count)| **count).map(|(l, c)| (*l, *c));
        let mains: Vec<_> = labels.values().filter_map(most).collect();
        assert!(mains.iter().all(|(label, count)| label.is_some() && *count >= 270), "{labels:?}");
        let distinct: std::collections::BTreeSet<_> = mains.iter().map(|(label, _)| *label).collect();
        assert_eq!(distinct.len(), 4, "{labels:?}");
    }

    #[test]
    fn who_is_chosen_depends_on_ids_alone_and_an_actor_is_chosen_once() {
        let (_, mut sessions, softwares) = programs(400);
        let ids = |sessions: &[Session], softwares: &[usize]| -> std::collections::BTreeSet<String> {
            chosen(sessions, softwares, 50).into_iter().map(|row| sessions[row].id.clone()).collect()
        };
        let before = ids(&sessions, &softwares);
        assert_eq!(before.len(), 50);
        sessions.reverse();
        let backwards: Vec<usize> = softwares.iter().rev().copied().collect();
        assert_eq!(before, ids(&sessions, &backwards));
        // One address with one software is one actor, however many sessions it has.
        sessions.iter_mut().for_each(|session| session.src_ip = "192.0.2.1".to_owned());
        assert_eq!(chosen(&sessions, &backwards, 50).len(), 4);
    }
}
