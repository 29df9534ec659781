//! Tests of the HPACK decoder: RFC 7541 appendix C, agreement with another implementation, bounds.

use super::*;
use proptest::prelude::*;

const LIMITS: HpackLimits = HpackLimits { table_bytes: 65_536, list_bytes: 65_536, fields: 1_000 };

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, HpackError> {
    let mut out = Vec::new();
    decoder.decode(block, |name, value| out.push((name.to_vec(), value.to_vec())))?;
    Ok(out)
}

fn text(fields: &[(Vec<u8>, Vec<u8>)]) -> String {
    fields.iter().map(|(n, v)| format!("{}={};", String::from_utf8_lossy(n), String::from_utf8_lossy(v))).collect()
}

#[test]
fn rfc_7541_appendix_c_3_and_c_4_requests() {
    let plain = [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ];
    let coded =
        ["828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"];
    let expected = [
        ":method=GET;:scheme=http;:path=/;:authority=www.example.com;",
        ":method=GET;:scheme=http;:path=/;:authority=www.example.com;cache-control=no-cache;",
        ":method=GET;:scheme=https;:path=/index.html;:authority=www.example.com;custom-key=custom-value;",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new(LIMITS);
        for (block, want) in blocks.iter().zip(expected) {
            assert_eq!(text(&decode(&mut decoder, &hex(block)).unwrap()), want);
        }
        assert_eq!(decoder.table_bytes, 164);
    }
}

#[test]
fn rfc_7541_appendix_c_6_evicts_from_a_table_of_256_bytes() {
    let mut decoder = Decoder::new(LIMITS);
    let first =
        "3fe101 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3";
    let second = "4883640effc1c0bf";
    let third = "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007";
    assert!(text(&decode(&mut decoder, &hex(first)).unwrap()).contains("location=https://www.example.com;"));
    assert!(text(&decode(&mut decoder, &hex(second)).unwrap()).starts_with(":status=307;"));
    let fields = decode(&mut decoder, &hex(third)).unwrap();
    assert!(text(&fields).ends_with("set-cookie=foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1;"));
    assert_eq!((decoder.table.len(), decoder.table_bytes), (3, 215));
}

#[test]
fn every_symbol_survives_the_huffman_code() {
    let all: Vec<u8> = (0..=255).collect();
    let mut encoder = loona_hpack::Encoder::new();
    encoder.set_max_table_size(0);
    for chunk in all.chunks(7) {
        let block = encoder.encode([(chunk, chunk)]);
        assert_eq!(decode(&mut Decoder::new(LIMITS), &block).unwrap(), [(chunk.to_vec(), chunk.to_vec())]);
    }
}

#[test]
fn bounds_hold_against_small_blocks_that_decode_to_much() {
    let limits = HpackLimits { table_bytes: 4096, list_bytes: 10_000, fields: 50 };
    let mut bomb = hex("40 01 61 7f 801e");
    bomb.extend(vec![b'v'; 3967]);
    bomb.extend(vec![0xbe; 5_000]);
    assert_eq!(decode(&mut Decoder::new(limits), &bomb), Err(HpackError::TooLarge));
    assert_eq!(decode(&mut Decoder::new(limits), &[0x82; 51]), Err(HpackError::TooLarge));
    assert_eq!(decode(&mut Decoder::new(limits), &hex("3fe2ff03")), Err(HpackError::TooLarge));
    for bad in ["80", "be", "7f", "ffffffffffff7f", "4001", "40810000", "00 84ffffffff 00"] {
        assert_eq!(decode(&mut Decoder::new(limits), &hex(bad)), Err(HpackError::Malformed), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn agrees_with_another_decoder_on_any_bytes(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..6)) {
        let (mut ours, mut theirs) = (Decoder::new(LIMITS), loona_hpack::Decoder::new());
        theirs.set_max_allowed_table_size(65_536);
        for block in &blocks {
            match (decode(&mut ours, block), theirs.decode(block)) {
                (Ok(mine), Ok(other)) => prop_assert_eq!(mine, other),
                // They refuse a size update at the end of a block, and stop for good there; we read on.
                (Ok(_), Err(loona_hpack::decoder::DecoderError::SizeUpdateAtEnd)) | (Err(_), Err(_)) => break,
                (mine, other) => prop_assert!(false, "{:?} against {:?} on {:02x?}", mine, other, block),
            }
        }
    }

    #[test]
    fn what_an_encoder_wrote_comes_back(requests in prop::collection::vec(prop::collection::vec(("[a-z-]{1,12}", prop::collection::vec(any::<u8>(), 0..40)), 0..12), 1..6)) {
        let (mut encoder, mut ours) = (loona_hpack::Encoder::new(), Decoder::new(LIMITS));
        for request in &requests {
            let fields: Fields = request.iter().map(|(n, v)| (n.clone().into_bytes(), v.clone())).collect();
            let block = encoder.encode(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
            prop_assert_eq!(decode(&mut ours, &block).unwrap(), fields);
        }
    }
}
