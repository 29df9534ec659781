//! What is more than a statement: how features are distributed, and sessions on a map of two dimensions.
//!
//! Promises: the same store gives the same figures; a feature's separation is the share of pairs (one anomalous, one not) that it
//! orders; the map is the first two principal components of the features as models see them, signs fixed.
//!
//! Read next: `ja4_lab::cycle` (where the feature table comes from), `../views/features`.

use std::collections::BTreeMap;

use ja4_lab::catalogue::{Catalogue, ModelKind};
use ja4_lab::cycle::{self, CyclePlan};
use ja4_lab::frame::{FeatureFrame, shaped};
use ja4_replay::store::{Statement, Store};

use super::statements;
use super::table::{Column, Table};

/// Steps of the distribution curves.
pub const STEPS: usize = 20;

/// Sessions on the map at most; beyond, every n-th is taken.
const MAP_ROWS: usize = 20_000;

/// Key of a session.
type Key = (i64, String, String, String);

/// One row a feature: quantiles among ordinary and among anomalous sessions, and how well it separates them.
///
/// # Errors
/// The engine's refusal, or a view without a feature of the catalogue.
pub fn distributions(store: &dyn Store) -> Result<Table, String> {
    let fail = |error: ja4_lab::error::LabError| error.to_string();
    let catalogue = Catalogue::load().map_err(|error| error.to_string())?;
    let frame = cycle::read_frame(store, &CyclePlan::default()).map_err(fail)?;
    let scored = scored(store)?;
    let keys = keys(&frame)?;
    let anomalous: Vec<Option<bool>> = keys.iter().map(|key| scored.get(key).map(|found| found.anomaly)).collect();
    let mut out: Vec<Row> = Vec::new();
    for feature in &catalogue.features {
        let Ok(values) = frame.number(&feature.name) else { continue };
        let of = |wanted: bool| {
            let mut found: Vec<f64> =
                values.iter().zip(&anomalous).filter(|(_, flag)| **flag == Some(wanted)).map(|(value, _)| *value).collect();
            found.sort_by(f64::total_cmp);
            found
        };
        let (people, bots) = (of(false), of(true));
        out.push(Row {
            name: feature.name.clone(),
            family: feature.family.clone(),
            unit: feature.unit.clone(),
            why: feature.why.clone(),
            separation: separation(&people, &bots),
            people: quantiles(&people),
            bots: quantiles(&bots),
            model: feature.model,
        });
    }
    Ok(as_table(&out))
}

struct Row {
    name: String,
    family: String,
    unit: String,
    why: String,
    separation: f64,
    people: Vec<f64>,
    bots: Vec<f64>,
    model: bool,
}

fn as_table(rows: &[Row]) -> Table {
    let text = |f: fn(&Row) -> &str| Column::Text(rows.iter().map(f).collect());
    let at = |values: &[f64], step: usize| values.get(step).copied().unwrap_or(f64::NAN);
    let names: Vec<(String, String)> =
        (0..=STEPS).map(|step| (format!("ordinary_q{step}"), format!("anomalous_q{step}"))).collect();
    let mut columns = vec![
        ("feature", text(|row| &row.name)),
        ("family", text(|row| &row.family)),
        ("unit", text(|row| &row.unit)),
        ("separation", Column::Float(rows.iter().map(|row| row.separation).collect())),
        ("ordinary_median", Column::Float(rows.iter().map(|row| at(&row.people, STEPS / 2)).collect())),
        ("anomalous_median", Column::Float(rows.iter().map(|row| at(&row.bots, STEPS / 2)).collect())),
        ("in_models", Column::Int(rows.iter().map(|row| i64::from(row.model)).collect())),
        ("why", text(|row| &row.why)),
    ];
    for (step, (ordinary, anomalous)) in names.iter().enumerate() {
        columns.push((ordinary, Column::Float(rows.iter().map(|row| at(&row.people, step)).collect())));
        columns.push((anomalous, Column::Float(rows.iter().map(|row| at(&row.bots, step)).collect())));
    }
    Table::new(rows.len(), columns)
}

fn quantiles(sorted: &[f64]) -> Vec<f64> {
    let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
    (0..=STEPS).map(|step| sorted[last * step / STEPS]).collect()
}

/// Share of pairs that the values order one way or the other, at least one half.
fn separation(people: &[f64], bots: &[f64]) -> f64 {
    if people.is_empty() || bots.is_empty() {
        return f64::NAN;
    }
    let mut above = 0.0;
    for bot in bots {
        let below = people.partition_point(|value| value < bot);
        let upto = people.partition_point(|value| value <= bot);
        above += to_f64(below + upto) / 2.0;
    }
    let share = above / (to_f64(people.len()) * to_f64(bots.len()));
    share.max(1.0 - share)
}

struct Scored {
    anomaly: bool,
    score: f64,
    session: String,
    severity: String,
}

fn scored(store: &dyn Store) -> Result<BTreeMap<Key, Scored>, String> {
    let ask = super::query::Ask::plain(statements::SESSIONS, &[], 10_000_000);
    let Some((text, _)) = ask.text(store.engine()) else { return Ok(BTreeMap::new()) };
    let table = Table::from_batches(&store.ask(&Statement::shared(&text), &[]).map_err(|error| error.to_string())?);
    let row = |row: usize| {
        let key = (
            table.int(row, "win_ms"),
            table.text(row, "src_ip").into_owned(),
            table.text(row, "ja4").into_owned(),
            table.text(row, "host").into_owned(),
        );
        let found = Scored {
            anomaly: table.int(row, "anomaly") == 1,
            score: table.number(row, "score"),
            session: table.text(row, "session_id").into_owned(),
            severity: table.text(row, "severity").into_owned(),
        };
        (key, found)
    };
    Ok((0..table.rows()).map(row).collect())
}

fn keys(frame: &FeatureFrame) -> Result<Vec<Key>, String> {
    let fail = |error: ja4_lab::error::LabError| error.to_string();
    let windows = frame.int("win_ms").map_err(fail)?;
    let texts = [frame.text("src_ip").map_err(fail)?, frame.text("ja4").map_err(fail)?, frame.text("host").map_err(fail)?];
    let [ips, ja4s, hosts] = texts;
    Ok(windows.into_iter().zip(ips).zip(ja4s).zip(hosts).map(|(((window, ip), ja4), host)| (window, ip, ja4, host)).collect())
}

/// Sessions with a handshake as points: `x`, `y`, score, severity, address, session id.
///
/// # Errors
/// As [`distributions`].
pub fn map(store: &dyn Store) -> Result<Table, String> {
    let fail = |error: ja4_lab::error::LabError| error.to_string();
    let catalogue = Catalogue::load().map_err(|error| error.to_string())?;
    let frame = cycle::read_frame(store, &CyclePlan::default()).map_err(fail)?;
    let keys = keys(&frame)?;
    let scored = scored(store)?;
    let known: Vec<usize> = (0..keys.len()).filter(|row| !keys[*row].2.is_empty() && scored.contains_key(&keys[*row])).collect();
    let rows: Vec<usize> = known.iter().copied().step_by(known.len().div_ceil(MAP_ROWS).max(1)).collect();
    let values = frame.values(&catalogue, ModelKind::Complete, &rows).map_err(fail)?;
    let values = shaped(&catalogue, ModelKind::Complete, &values).map_err(fail)?;
    let width = values.features().len();
    let points = components(values.values(), width);
    let found: Vec<&Scored> = rows.iter().filter_map(|row| scored.get(&keys[*row])).collect();
    Ok(Table::new(
        found.len(),
        vec![
            ("x", Column::Float(points.iter().map(|point| point[0]).collect())),
            ("y", Column::Float(points.iter().map(|point| point[1]).collect())),
            ("score", Column::Float(found.iter().map(|found| found.score).collect())),
            ("severity", Column::Text(found.iter().map(|found| found.severity.as_str()).collect())),
            ("session_id", Column::Text(found.iter().map(|found| found.session.as_str()).collect())),
            ("src_ip", Column::Text(rows.iter().map(|row| keys[*row].1.as_str()).collect())),
        ],
    ))
}

/// First two principal components of standardised columns, by power iteration from a fixed start.
fn components(values: &[f64], width: usize) -> Vec<[f64; 2]> {
    if width == 0 || values.is_empty() {
        return Vec::new();
    }
    let rows = values.len() / width;
    let mean: Vec<f64> = (0..width).map(|column| values.iter().skip(column).step_by(width).sum::<f64>() / to_f64(rows)).collect();
    let spread: Vec<f64> = (0..width)
        .map(|column| {
            let squares: f64 = values.iter().skip(column).step_by(width).map(|value| (value - mean[column]).powi(2)).sum();
            (squares / to_f64(rows)).sqrt()
        })
        .collect();
    let standard: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(at, value)| {
            let column = at % width;
            if spread[column] > 1e-12 { ((value - mean[column]) / spread[column]).clamp(-6.0, 6.0) } else { 0.0 }
        })
        .collect();
    let mut axes: Vec<Vec<f64>> = Vec::new();
    for _ in 0..2 {
        let mut axis: Vec<f64> = (0..width).map(|column| 1.0 + to_f64(column % 7) / 10.0).collect();
        for _ in 0..40 {
            let mut next = vec![0.0; width];
            for row in standard.chunks_exact(width) {
                let along: f64 = row.iter().zip(&axis).map(|(a, b)| a * b).sum();
                next.iter_mut().zip(row).for_each(|(slot, value)| *slot += along * value);
            }
            for earlier in &axes {
                let along: f64 = next.iter().zip(earlier).map(|(a, b)| a * b).sum();
                next.iter_mut().zip(earlier).for_each(|(slot, value)| *slot -= along * value);
            }
            let length = next.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
            axis = next.iter().map(|value| value / length).collect();
        }
        axes.push(axis);
    }
    let along = |row: &[f64], axis: &[f64]| row.iter().zip(axis).map(|(a, b)| a * b).sum::<f64>();
    standard.chunks_exact(width).map(|row| [along(row, &axes[0]), along(row, &axes[1])]).collect()
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separation_is_the_share_of_ordered_pairs() {
        assert_eq!(separation(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(separation(&[3.0, 4.0], &[1.0, 2.0]), 1.0);
        assert_eq!(separation(&[1.0, 1.0], &[1.0]), 0.5);
        assert!(separation(&[], &[1.0]).is_nan());
    }

    #[test]
    fn the_first_component_follows_the_spread() {
        // Two columns that move together, one that does not.
        let values: Vec<f64> = (0..50).flat_map(|i| [f64::from(i), f64::from(i) * 2.0, f64::from(i % 2)]).collect();
        let points = components(&values, 3);
        assert_eq!(points.len(), 50);
        assert!((points[0][0] - points[49][0]).abs() > 3.0 * (points[0][0] - points[1][0]).abs());
        assert_eq!(components(&values, 3)[7], points[7]);
    }
}
