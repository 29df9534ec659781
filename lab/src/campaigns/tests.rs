//! Identity over cycles, without a store: groups as a clustering would give them, placed one cycle after the other.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// One session of `actor` in `cycle`; actors have their software, some share it with another, and addresses change all the time.
fn session(actor: usize, cycle: usize, number: usize) -> Session {
    Session {
        id: format!("{actor}-{cycle}-{number}"),
        win_ms: i64::try_from(cycle).unwrap() * 3_600_000,
        // A third of the actors keep their addresses, the others take new ones every cycle.
        src_ip: if actor.is_multiple_of(3) {
            format!("192.0.2.{}", actor * 5 + number)
        } else {
            format!("198.51.{cycle}.{}", actor * 7 + number)
        },
        ja4: format!("t13d{:04}", actor / 2),
        user_agent: format!("tool/{actor}"),
        host: format!("host{}.example", actor % 4),
        score: 0.9,
        severity: "high".to_owned(),
        asn: 64_500 + i64::try_from(actor % 6).unwrap(),
        first_ns: i64::try_from(cycle).unwrap() * 3_600_000_000_000,
        last_ns: i64::try_from(cycle).unwrap() * 3_600_000_000_000 + 1,
        membership: 1.0,
        fresh: true,
        ..Session::default()
    }
}

#[test]
fn identity_is_kept_over_ten_cycles() {
    let mut campaigns = BTreeMap::new();
    let mut first: BTreeMap<usize, String> = BTreeMap::new();
    let (mut kept, mut all) = (0, 0);
    for cycle in 0..10 {
        // Every actor misses some cycles, and groups come in another order each time.
        let mut actors: Vec<usize> = (0..20).filter(|actor| (actor * 7 + cycle * 3) % 10 != 0).collect();
        if cycle % 2 == 1 {
            actors.reverse();
        }
        let groups =
            actors.iter().map(|actor| (0..4 + actor % 3).map(|number| session(*actor, cycle, number)).collect()).collect();
        place(&mut campaigns, groups, &mut CampaignReport::default());
        for actor in actors {
            let of = campaigns.iter().find(|(_, campaign)| campaign.members.contains_key(&format!("{actor}-{cycle}-0")));
            let id = of.map(|(id, _)| id.clone()).unwrap();
            all += 1;
            kept += usize::from(*first.entry(actor).or_insert_with(|| id.clone()) == id);
        }
    }
    assert_eq!(kept, all, "every actor keeps the campaign it was first seen as");
    assert_eq!(campaigns.len(), first.values().collect::<BTreeSet<_>>().len());
    assert_eq!(first.values().collect::<BTreeSet<_>>().len(), 20, "and no two actors share one");
}

#[test]
fn a_session_belongs_to_one_campaign() {
    let mut campaigns = BTreeMap::new();
    let group: Vec<Session> = (0..6).map(|number| session(1, 0, number)).collect();
    place(&mut campaigns, vec![group.clone()], &mut CampaignReport::default());
    // The next grouping of the same hour parts them.
    let seen = place(&mut campaigns, vec![group[..3].to_vec(), group[3..].to_vec()], &mut CampaignReport::default());
    let members: usize = campaigns.values().map(|campaign| campaign.members.len()).sum();
    assert_eq!((members, seen.len()), (6, campaigns.len()));
}
