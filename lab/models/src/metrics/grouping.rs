//! How well groups agree with classes: adjusted Rand index and purity, as scikit-learn and the literature define them.
//!
//! Groups and classes are numbers without meaning; `None` is a row that was put nowhere. Read next: `crate::cluster`.

use std::collections::BTreeMap;

use crate::error::{ModelError, Result};

/// Rand index adjusted for chance: 1 for the same partition, about 0 for a random one (`sklearn.metrics.adjusted_rand_score`).
/// A row that was put nowhere is left out on both sides; say beside the figure how many there were.
///
/// # Errors
/// [`ModelError::LengthMismatch`].
pub fn adjusted_rand(groups: &[Option<u32>], classes: &[u32]) -> Result<f64> {
    let counts = Counts::new("computing the adjusted Rand index", groups, classes)?;
    let pairs = |count: u64| count as f64 * (count as f64 - 1.0) / 2.0;
    let both: f64 = counts.cells.values().copied().map(pairs).sum();
    let in_groups: f64 = counts.groups.values().copied().map(pairs).sum();
    let in_classes: f64 = counts.classes.values().copied().map(pairs).sum();
    let expected = in_groups * in_classes / pairs(counts.rows).max(1.0);
    let largest = (in_groups + in_classes) / 2.0;
    // Both partitions trivial: they are the same.
    Ok(if (largest - expected).abs() < 1e-12 { 1.0 } else { (both - expected) / (largest - expected) })
}

/// Share of the grouped rows that belong to the commonest class of their group; 1 where nothing was grouped.
///
/// # Errors
/// [`ModelError::LengthMismatch`].
pub fn purity(groups: &[Option<u32>], classes: &[u32]) -> Result<f64> {
    let counts = Counts::new("computing purity", groups, classes)?;
    let mut largest: BTreeMap<u32, u64> = BTreeMap::new();
    for (&(group, _), &count) in &counts.cells {
        let slot = largest.entry(group).or_default();
        *slot = count.max(*slot);
    }
    Ok(if counts.rows == 0 { 1.0 } else { largest.values().sum::<u64>() as f64 / counts.rows as f64 })
}

/// Grouped rows by group, by class, and by both.
#[derive(Default)]
struct Counts {
    cells: BTreeMap<(u32, u32), u64>,
    groups: BTreeMap<u32, u64>,
    classes: BTreeMap<u32, u64>,
    rows: u64,
}

impl Counts {
    fn new(operation: &'static str, groups: &[Option<u32>], classes: &[u32]) -> Result<Self> {
        if groups.len() != classes.len() {
            return Err(ModelError::LengthMismatch { operation, expected: classes.len(), found: groups.len() });
        }
        let mut counts = Self::default();
        for (group, &class) in groups.iter().zip(classes) {
            let Some(group) = *group else { continue };
            *counts.cells.entry((group, class)).or_default() += 1;
            *counts.groups.entry(group).or_default() += 1;
            *counts.classes.entry(class).or_default() += 1;
            counts.rows += 1;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(groups: &[u32]) -> Vec<Option<u32>> {
        groups.iter().copied().map(Some).collect()
    }

    #[test]
    fn values_of_scikit_learn() {
        // sklearn.metrics.adjusted_rand_score of the same lists, 1.9.1.
        assert!((adjusted_rand(&some(&[0, 0, 1, 2]), &[0, 0, 1, 1]).unwrap() - 0.571_428_571_428_571_4).abs() < 1e-12);
        assert!((adjusted_rand(&some(&[0, 0, 1, 1]), &[1, 1, 0, 0]).unwrap() - 1.0).abs() < 1e-12);
        assert!((adjusted_rand(&some(&[0, 1, 0, 1]), &[0, 0, 1, 1]).unwrap() + 0.5).abs() < 1e-12);
        assert!((adjusted_rand(&some(&[0, 0, 0, 0]), &[0, 0, 0, 0]).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn purity_counts_the_commonest_class_of_each_group() {
        let groups = [Some(0), Some(0), Some(0), Some(1), None];
        assert!((purity(&groups, &[5, 5, 6, 6, 5]).unwrap() - 0.75).abs() < 1e-12);
        assert_eq!(purity(&[None], &[1]).unwrap(), 1.0);
        assert!(purity(&groups, &[1]).is_err());
    }
}
