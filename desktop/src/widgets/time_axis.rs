//! A time axis: lines at round times, labels as short as the step allows, the day once below.
//!
//! Promises: steps are those of a clock (1, 5, 10, 30 seconds, minutes, hours, days), never powers of ten of seconds; two labels side by
//! side differ.
//!
//! Read next: `chart.rs`.

use egui_plot::GridInput;

use super::text;

/// Steps in seconds; each divides the next.
const STEPS: [f64; 14] =
    [1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1_800.0, 3_600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 864_000.0];
const DAY: f64 = 86_400.0;

/// Fine, middle and coarse step, in seconds, for what is seen.
#[must_use]
pub fn steps(input: &GridInput) -> [f64; 3] {
    let at_least = |least: f64| STEPS.into_iter().find(|step| *step >= least).unwrap_or(least);
    let fine = at_least(input.base_step_size);
    let middle = at_least(fine * 2.0);
    // The coarse lines bear the labels; the finest are eight points apart, and a label with seconds is as wide as nine of them.
    let coarse = at_least(input.base_step_size * 7.0).max(at_least(middle * 2.0));
    let coarse = if coarse < 60.0 { coarse.max(at_least(input.base_step_size * 9.0)) } else { coarse };
    [fine, middle, coarse]
}

/// A time in seconds since 1970 as the label of a line that is repeated every `step` seconds.
#[must_use]
pub fn label(seconds: f64, step: f64) -> String {
    let whole = text::time(ns(seconds));
    let range = match step {
        step if step >= DAY || seconds.rem_euclid(DAY) == 0.0 => 5..10,
        step if step >= 60.0 => 11..16,
        step if step >= 1.0 => 11..19,
        _ => 11..23,
    };
    whole.get(range).unwrap_or_default().to_owned()
}

/// What the axis is called: `name` with the day, or both days, of what is drawn.
#[must_use]
pub fn name(name: &str, xs: impl Iterator<Item = f64>) -> String {
    let (low, high) =
        xs.filter(|x| x.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if low > high {
        return name.to_owned();
    }
    let day = |seconds: f64| text::time(ns(seconds)).get(..10).unwrap_or_default().to_owned();
    let (first, last) = (day(low), day(high));
    if first == last { format!("{name}, {first}") } else { format!("{name}, {first} to {last}") }
}

#[allow(clippy::cast_possible_truncation, reason = "seconds since 1970; more saturates")]
fn ns(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64 * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_at_times_of_a_clock() {
        let steps_for = |base_step_size: f64| steps(&GridInput { bounds: (0.0, 1.0), base_step_size });
        assert_eq!(steps_for(11.0), [30.0, 60.0, 300.0]);
        assert_eq!(steps_for(8.1), [10.0, 30.0, 60.0]);
        assert_eq!(steps_for(0.2), [1.0, 5.0, 10.0]);
        assert_eq!(steps_for(4_000.0), [10_800.0, 21_600.0, 43_200.0]);
        assert_eq!(steps_for(9e6), [9e6, 18e6, 63e6]);
    }

    #[test]
    fn labels_are_as_short_as_the_step_allows() {
        let seconds = 1_790_000_000.0; // 2026-09-21 14:13:20
        assert_eq!(label(seconds, 60.0), "14:13");
        assert_eq!(label(seconds, 10.0), "14:13:20");
        assert_eq!(label(seconds, 0.1), "14:13:20.000");
        assert_eq!(label(seconds, DAY), "09-21");
        assert_eq!(label(1_789_948_800.0, 3_600.0), "09-21");
        assert_eq!(name("UTC", [seconds, seconds + 60.0].into_iter()), "UTC, 2026-09-21");
        assert_eq!(name("UTC", [seconds, seconds + DAY].into_iter()), "UTC, 2026-09-21 to 2026-09-22");
        assert_eq!(name("UTC", std::iter::empty()), "UTC");
    }
}
