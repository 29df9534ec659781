//! Reassembly as a property: any cut, order, repetition or overlap of the segments gives the same record.

use ja4_capture::{ConnectionRecord, Limits};
use proptest::prelude::*;

use crate::support::{ACK, CLIENT, Frame, SERVER, SYN, SYN_OPTIONS, Tcp, client_hello, records, sense, server_hello, tcp};

/// One side's stream, cut at `cuts`; each piece may reach further back and forth over its neighbours.
fn pieces(stream: &[u8], cuts: &[prop::sample::Index], overlap: usize) -> Vec<(usize, Vec<u8>)> {
    let mut at = cuts.iter().map(|cut| cut.index(stream.len())).chain([0, stream.len()]).collect::<Vec<_>>();
    at.sort_unstable();
    at.dedup();
    at.windows(2)
        .map(|w| {
            (w[0].saturating_sub(overlap), stream[w[0].saturating_sub(overlap)..(w[1] + overlap).min(stream.len())].to_vec())
        })
        .collect()
}

fn frames(isn: u32, with_syn: bool, up: Vec<(usize, Vec<u8>)>, down: Vec<(usize, Vec<u8>)>, order: &[u32]) -> Vec<Frame> {
    let (c, s) = ((CLIENT, 40_000), (SERVER, 443));
    let frame =
        |src, dst, seq, flags, options: &[u8], payload: &[u8]| tcp(&Tcp { src, dst, seq, ack: 1, flags, options, payload });
    let mut data =
        up.into_iter().map(|(at, payload)| frame(c, s, isn.wrapping_add(1 + at as u32), ACK, &[], &payload)).collect::<Vec<_>>();
    data.extend(
        down.into_iter().map(|(at, payload)| frame(s, c, isn.wrapping_mul(3).wrapping_add(1 + at as u32), ACK, &[], &payload)),
    );
    // Sorting by random keys shuffles; keys beyond the data repeat frames.
    let repeated = order.iter().skip(data.len()).map(|key| data[*key as usize % data.len()].clone()).collect::<Vec<_>>();
    let mut keyed = data.into_iter().chain(repeated).zip(order.iter().cycle()).enumerate().collect::<Vec<_>>();
    keyed.sort_by_key(|(place, (_, key))| (**key, *place));
    let mut out = Vec::new();
    if with_syn {
        out.push(frame(c, s, isn, SYN, &SYN_OPTIONS, &[]));
        out.push(frame(s, c, isn.wrapping_mul(3), SYN | ACK, &SYN_OPTIONS, &[]));
    }
    out.extend(keyed.into_iter().map(|(_, (frame, _))| frame));
    out.into_iter().map(|frame| (0, frame)).collect()
}

fn hellos(record: &ConnectionRecord) -> Vec<Option<&str>> {
    let r = record;
    vec![r.sni.as_deref(), r.ja3_raw(), r.ja4_ro(), r.ja3s_raw(), r.ja4s_r(), r.ja4t.as_deref(), r.ja4ts.as_deref()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_arrival_gives_the_same_record(
        isn in prop_oneof![Just(0_u32), Just(u32::MAX - 5), Just(u32::MAX - 200), any::<u32>()],
        with_syn in any::<bool>(),
        record_bytes in prop_oneof![Just(16_000_usize), 1_usize..300],
        cuts_up in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        cuts_down in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        overlap in prop_oneof![Just(0_usize), 1_usize..20],
        order in prop::collection::vec(any::<u32>(), 90),
    ) {
        let up = records(&client_hello("any.example"), record_bytes);
        let down = records(&server_hello(), record_bytes);
        let whole = frames(isn, with_syn, vec![(0, up.clone())], vec![(0, down.clone())], &[0]);
        let expected = sense(&whole, Limits::default()).0;
        prop_assert_eq!(expected.records.len(), 1);
        prop_assert_eq!(expected.records[0].sni.as_deref(), Some("any.example"));
        let cut = frames(isn, with_syn, pieces(&up, &cuts_up, overlap), pieces(&down, &cuts_down, overlap), &order);
        let got = sense(&cut, Limits::default()).0;
        let named = got.records.iter().filter(|r| r.ja4().is_some()).collect::<Vec<_>>();
        prop_assert_eq!(named.len(), 1, "{:?}", got.records);
        prop_assert_eq!(hellos(named[0]), hellos(&expected.records[0]));
    }
}

#[test]
fn a_hello_in_single_bytes_backwards() {
    let up = records(&client_hello("bytes.example"), 3);
    let single = up.iter().enumerate().map(|(at, byte)| (at, vec![*byte])).rev().collect::<Vec<_>>();
    let order = (0..single.len() as u32).collect::<Vec<_>>();
    for with_syn in [true, false] {
        let got = sense(&frames(77, with_syn, single.clone(), Vec::new(), &order), Limits::default()).0;
        assert_eq!(got.records.first().and_then(|r| r.sni.as_deref()), Some("bytes.example"), "with SYN: {with_syn}");
    }
}

#[test]
fn a_repeated_record_is_no_new_beginning() {
    // No SYN was captured, the last piece is late, and the start of the second record comes twice before it.
    let up = records(&client_hello("twice.example"), 60);
    let piece = |from: usize, to: usize| (from, up[from..to].to_vec());
    let arrivals = vec![piece(0, 65), piece(65, 130), piece(65, 66), piece(65, 130), piece(130, up.len())];
    let order = (0..arrivals.len() as u32).collect::<Vec<_>>();
    let got = sense(&frames(7, false, arrivals, Vec::new(), &order), Limits::default()).0;
    assert_eq!(got.records.first().and_then(|r| r.sni.as_deref()), Some("twice.example"));
}
