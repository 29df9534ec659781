//! All visits together: each begins at its time, and their events are written in one order.
//!
//! Promises: memory grows with the visits under way at one time, never with the length of the scenario; the order of what is written
//! depends on scenario and seed alone.
//!
//! Read next: `visit.rs` (one visit), `emit.rs` (its bytes).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::cast::Group;
use super::emit::{Counts, Emitter, Sink};
use super::rng::Stream;
use super::scenario::Scenario;
use super::templates::Templates;
use super::visit::{Maker, Ports, Visit};

/// When the visits of one population begin: a Poisson process whose rate follows the hours of the day.
struct Arrivals {
    random: Stream,
    /// Visits made.
    visits: u64,
    /// Next, ns after the start of the scenario.
    next_ns: Option<i64>,
    until_ns: i64,
    per_ns: f64,
    peak: f64,
    start_ns: i64,
}

impl Arrivals {
    fn new(group: &Group<'_>, place: usize, scenario: &Scenario, seed: u64) -> Self {
        let population = group.population;
        let until_ns = population.until.map_or(scenario.length.0, |until| until.0.min(scenario.length.0));
        let peak = (0..24).map(|hour| group.hour_weight(hour)).fold(0.0, f64::max);
        let mut arrivals = Self {
            random: Stream::new(seed, &[0, place as u64]),
            visits: 0,
            next_ns: Some(population.from.0),
            until_ns,
            per_ns: *population.visits_per_day.get_ref() / 86_400e9,
            peak,
            start_ns: scenario.start,
        };
        arrivals.step(group);
        arrivals
    }

    /// The next visit by thinning: candidates at the peak's rate, each kept with its hour's share of the peak.
    fn step(&mut self, group: &Group<'_>) {
        while let Some(now_ns) = self.next_ns {
            #[allow(clippy::cast_possible_truncation, reason = "clamped to a year")]
            let wait_ns = (self.random.exponential() / (self.per_ns * self.peak)).clamp(1.0, 366.0 * 86_400e9) as i64;
            let next_ns = now_ns.saturating_add(wait_ns);
            self.next_ns = (next_ns < self.until_ns).then_some(next_ns);
            let hour = self.start_ns.saturating_add(next_ns).div_euclid(3_600_000_000_000).rem_euclid(24);
            let kept = self.random.unit() * self.peak < group.hour_weight(usize::try_from(hour).unwrap_or(0));
            if kept {
                return;
            }
        }
    }
}

/// Generates `scenario` with `seed` into `sink`; `tick` hears now and then how far the scenario's time has come, 0 to 1.
///
/// # Errors
/// The sink's refusal.
pub fn run(
    scenario: &Scenario,
    templates: &Templates,
    seed: u64,
    sink: &mut dyn Sink,
    tick: &mut dyn FnMut(f64),
) -> std::io::Result<Counts> {
    let groups: Vec<Group<'_>> =
        scenario.population.iter().filter_map(|population| Group::new(population, scenario, templates)).collect();
    let mut arrivals: Vec<Arrivals> =
        groups.iter().enumerate().map(|(place, group)| Arrivals::new(group, place, scenario, seed)).collect();
    let mut emitter = Emitter::new(scenario, &groups);
    let (mut ports, mut serial, mut begun) = (Ports::default(), 0_u64, 0_u64);
    let mut under_way: BTreeMap<u64, Visit<'_>> = BTreeMap::new();
    // Time of the next event, then the visit's number: no two entries are equal.
    let mut order: BinaryHeap<Reverse<(i64, u64)>> = BinaryHeap::new();
    loop {
        let first = arrivals.iter().enumerate().filter_map(|(place, arrival)| Some((arrival.next_ns?, place))).min();
        let event_ns = order.peek().map(|Reverse((at_ns, _))| at_ns.saturating_sub(scenario.start));
        match (first, event_ns) {
            (None, None) => break,
            (Some((start_ns, place)), event_ns) if event_ns.is_none_or(|event_ns| start_ns <= event_ns) => {
                let (Some(arrival), Some(group)) = (arrivals.get_mut(place), groups.get(place)) else { break };
                let maker = Maker { scenario, group, group_place: place, ports: &mut ports, serial: &mut serial };
                if let Some(visit) = maker.visit(seed, arrival.visits, start_ns)
                    && let Some(event) = visit.events.first()
                {
                    begun += 1;
                    order.push(Reverse((event.at_ns, begun)));
                    under_way.insert(begun, visit);
                    emitter.counts.visits += 1;
                }
                arrival.visits += 1;
                arrival.step(group);
            }
            _ => {
                let Some(Reverse((at_ns, number))) = order.pop() else { break };
                let Some(visit) = under_way.get_mut(&number) else { continue };
                emitter.next(visit, sink)?;
                match visit.events.get(visit.cursor) {
                    Some(event) => order.push(Reverse((event.at_ns, number))),
                    None => drop(under_way.remove(&number)),
                }
                if emitter.counts.packets.is_multiple_of(65_536) {
                    #[allow(clippy::cast_precision_loss, reason = "a share for people")]
                    tick(at_ns.saturating_sub(scenario.start) as f64 / scenario.length.0.max(1) as f64);
                }
            }
        }
    }
    emitter.counts.ports_exhausted = ports.exhausted;
    Ok(emitter.counts)
}
