//! Whether the voices together are better than the best of them, and whether so few sessions can show it.
//!
//! Promises: both are measured on the same sessions, those that the voice was asked about; the interval is that of the difference,
//! by a bootstrap over programs and over people; a difference whose interval holds 0 is a tie.
//!
//! Read next: `report.rs`.

use ja4_models::Rng;
use serde::Serialize;

use super::report::VOICES;

/// Samples of the bootstrap.
const DRAWS: usize = 1_000;
/// Place of the voices together.
const TOGETHER: usize = 3;

/// What each voice said of a session; `None` where it was not asked.
pub(super) type Said = [Option<f64>; 4];

/// AUROC of the voices together less that of the best voice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lead {
    /// The voice with the highest AUROC.
    pub voice: &'static str,
    /// AUROC of all together less that of the voice.
    pub difference: f64,
    /// 95 % interval of the difference.
    pub interval: [f64; 2],
    /// `above`, `below`, or `tie` where the interval holds 0.
    pub word: &'static str,
}

/// Programs of one kind beside the people that the same models scored; people stand in one order in every set.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    pub(super) bots: Vec<Said>,
    pub(super) people: Vec<Said>,
}

/// Compares over one kind or several; `None` where no voice but the whole was asked.
pub(super) fn lead(sets: &[Beside]) -> Option<Lead> {
    let compared = (0..TOGETHER).filter_map(|voice| Compared::new(sets, voice));
    // Of equals the first, so that nothing but the scores decides.
    let best = compared.reduce(|best, other| if other.auroc > best.auroc { other } else { best })?;
    let interval = best.interval();
    let word = match interval {
        [low, _] if low > 0.0 => "above",
        [_, high] if high < 0.0 => "below",
        _ => "tie",
    };
    Some(Lead { voice: VOICES.get(best.voice).copied().unwrap_or_default(), difference: best.difference, interval, word })
}

/// A voice against all together, pair by pair.
struct Compared {
    voice: usize,
    auroc: f64,
    difference: f64,
    people: usize,
    /// By program, and by person (`None`: not asked): what the pair adds to AUROC, all together less the voice.
    pairs: Vec<Vec<Option<f64>>>,
}

impl Compared {
    fn new(sets: &[Beside], voice: usize) -> Option<Self> {
        let people = sets.iter().map(|set| set.people.len()).max().unwrap_or(0);
        let (mut pairs, mut sums, mut asked) = (Vec::new(), [0.0; 2], 0.0);
        for set in sets {
            for bot in set.bots.iter().filter(|bot| bot.get(voice).is_some_and(Option::is_some)) {
                let mut row = Vec::with_capacity(people);
                for person in &set.people {
                    let pair = won(bot, person, voice).zip(won(bot, person, TOGETHER));
                    if let Some((alone, together)) = pair {
                        sums = [sums[0] + alone, sums[1] + together];
                        asked += 1.0;
                    }
                    row.push(pair.map(|(alone, together)| together - alone));
                }
                pairs.push(row);
            }
        }
        let [alone, together] = sums.map(|sum| sum / asked);
        (asked > 0.0).then_some(Self { voice, auroc: alone, difference: together - alone, people, pairs })
    }

    #[allow(clippy::cast_precision_loss, reason = "how often a session was drawn")]
    fn interval(&self) -> [f64; 2] {
        let mut drawn = Vec::with_capacity(DRAWS);
        for draw in 0..DRAWS {
            let mut rng = Rng::stream(1, draw as u64);
            let mut times = vec![0.0; self.people];
            (0..self.people).for_each(|_| times.get_mut(rng.below(self.people)).into_iter().for_each(|slot| *slot += 1.0));
            let (mut sum, mut asked) = (0.0, 0.0);
            for _ in 0..self.pairs.len() {
                let Some(row) = self.pairs.get(rng.below(self.pairs.len())) else { continue };
                for (pair, times) in row.iter().zip(&times) {
                    if let Some(pair) = pair {
                        sum += pair * times;
                        asked += times;
                    }
                }
            }
            if asked > 0.0 {
                drawn.push(sum / asked);
            }
        }
        drawn.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the order")]
            let place = (drawn.len().saturating_sub(1) as f64 * share).round() as usize;
            drawn.get(place).copied().unwrap_or_default()
        };
        [at(0.025), at(0.975)]
    }
}

/// 1 where the program stands above the person, half where they are equal.
#[allow(clippy::float_cmp, reason = "equal scores are one place in a ranking")]
fn won(bot: &Said, person: &Said, voice: usize) -> Option<f64> {
    let (bot, person) = (bot.get(voice).copied().flatten()?, person.get(voice).copied().flatten()?);
    Some(if bot > person {
        1.0
    } else if bot == person {
        0.5
    } else {
        0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(bots: usize, people: usize, alone: f64, together: f64) -> Beside {
        // People are spread evenly; every program stands at one place of each voice's ranking.
        #[allow(clippy::cast_precision_loss)]
        let person = |place: usize| (place as f64 + 0.5) / people as f64;
        Beside {
            bots: vec![[Some(alone), None, None, Some(together)]; bots],
            people: (0..people).map(|place| [Some(person(place)), None, None, Some(person(place))]).collect(),
        }
    }

    #[test]
    fn a_difference_that_the_sample_cannot_show_is_a_tie() {
        let clear = lead(&[set(50, 100, 0.5, 0.9)]).unwrap();
        assert_eq!((clear.voice, clear.word), ("forest", "above"));
        assert!((clear.difference - 0.4).abs() < 1e-9 && clear.interval[0] > 0.2 && clear.interval[1] < 0.6);
        assert_eq!(lead(&[set(50, 100, 0.9, 0.5)]).unwrap().word, "below");
        assert_eq!(lead(&[set(50, 100, 0.9, 0.9)]).unwrap().word, "tie");
        // One program gained and one lost.
        let mut mixed = set(1, 100, 0.5, 0.9);
        mixed.bots.push([Some(0.9), None, None, Some(0.55)]);
        let mixed = lead(&[mixed]).unwrap();
        assert!(mixed.difference > 0.0 && mixed.word == "tie", "{mixed:?}");
    }

    #[test]
    fn only_sessions_the_voice_was_asked_about_count() {
        let mut asked = set(10, 40, 0.8, 0.8);
        asked.bots.extend(vec![[None, None, None, Some(0.0)]; 10]);
        let found = lead(&[asked]).unwrap();
        assert!(found.difference.abs() < 1e-12, "{found:?}");
        assert_eq!(lead(&[Beside { bots: vec![[None, None, None, Some(1.0)]], people: vec![[None; 4]] }]), None);
    }
}
