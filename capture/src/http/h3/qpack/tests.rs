//! Tests of the QPACK decoder: RFC 9204 appendix B, cuts, wrapping counts, bounds.

use super::*;
use proptest::prelude::*;

const LIMITS: QpackLimits = QpackLimits { table_bytes: 65_536, instruction_bytes: 4096, list_bytes: 65_536, fields: 1_000 };

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn decode(decoder: &Decoder, section: &str) -> Result<String, QpackError> {
    let mut out = String::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    decoder.decode(&hex(section), |name, value| out.push_str(&format!("{}={};", text(name), text(value))))?;
    Ok(out)
}

/// A decoder whose peer was told a table of so many bytes.
fn decoder(announced: u64) -> Decoder {
    let mut decoder = Decoder::new(LIMITS);
    decoder.announce(announced);
    decoder
}

/// Follows these bytes of the encoder stream.
fn encode(decoder: &mut Decoder, bytes: &[u8]) -> Result<(), QpackError> {
    decoder.push(bytes);
    while decoder.step()? {}
    Ok(())
}

const B2: &str = "3fbd01 c00f7777772e6578616d706c652e636f6d c10c2f73616d706c652f70617468";
const B3: &str = "4a637573746f6d2d6b6579 0c637573746f6d2d76616c7565";
const B4: &str = "02";
const B5: &str = "810d637573746f6d2d76616c756532";

#[test]
fn rfc_9204_appendix_b_1_literal_with_static_name() {
    assert_eq!(decode(&decoder(0), "0000 510b2f696e6465782e68746d6c").unwrap(), ":path=/index.html;");
}

#[test]
fn rfc_9204_appendix_b_2_to_5_dynamic_table() {
    let mut decoder = decoder(220);
    assert_eq!(decode(&decoder, "0381 1011"), Err(QpackError::Blocked));
    encode(&mut decoder, &hex(B2)).unwrap();
    assert_eq!((decoder.inserted, decoder.table_bytes), (2, 106));
    assert_eq!(decode(&decoder, "0381 1011").unwrap(), ":authority=www.example.com;:path=/sample/path;");
    encode(&mut decoder, &hex(B3)).unwrap();
    assert_eq!((decoder.inserted, decoder.table_bytes), (3, 160));
    assert_eq!(decode(&decoder, "0500 80c181"), Err(QpackError::Blocked));
    encode(&mut decoder, &hex(B4)).unwrap();
    assert_eq!((decoder.inserted, decoder.table_bytes), (4, 217));
    assert_eq!(decode(&decoder, "0500 80c181").unwrap(), ":authority=www.example.com;:path=/;custom-key=custom-value;");
    encode(&mut decoder, &hex(B5)).unwrap();
    // The oldest entry made room for the new one; it is gone.
    assert_eq!((decoder.inserted, decoder.table.len(), decoder.table_bytes), (5, 4, 215));
    assert_eq!(decode(&decoder, "0381 10"), Err(QpackError::Malformed));
    assert_eq!(decode(&decoder, "0600 80").unwrap(), "custom-key=custom-value2;");
}

#[test]
fn a_section_waits_until_the_table_size_is_known_too() {
    let mut decoder = Decoder::new(LIMITS);
    assert_eq!(decode(&decoder, "0381 1011"), Err(QpackError::Blocked));
    // The server's SETTINGS may be missing from the capture: the size the encoder set stands in for it.
    encode(&mut decoder, &hex(B2)).unwrap();
    assert!(decode(&decoder, "0381 1011").is_ok());
}

#[test]
fn insert_counts_wrap_as_section_4_5_1_1_says() {
    // Its example: 100 bytes of table, 10 inserts, encoded 4 means 9.
    let decoder = Decoder { inserted: 10, ..decoder(100) };
    assert_eq!(decoder.required_inserts(4), Ok(9));
    assert_eq!(decoder.required_inserts(7), Err(QpackError::Malformed));
}

#[test]
fn every_form_of_a_literal_is_read() {
    let mut decoder = decoder(220);
    encode(&mut decoder, &hex(B2)).unwrap();
    // Literal name and value, plain and Huffman-coded (`custom-key`, `custom-value` of RFC 7541 appendix C).
    assert_eq!(decode(&decoder, "0000 2703637573746f6d2d6b6579 0c637573746f6d2d76616c7565").unwrap(), "custom-key=custom-value;");
    assert_eq!(decode(&decoder, "0000 2f0125a849e95ba97d7f 8925a849e95bb8e8b4bf").unwrap(), "custom-key=custom-value;");
    // Names from the dynamic table: before and behind the base.
    assert_eq!(decode(&decoder, "0300 40 0161").unwrap(), ":path=a;");
    assert_eq!(decode(&decoder, "0381 00 0161").unwrap(), ":authority=a;");
}

#[test]
fn bounds_are_kept() {
    let small = || Decoder::new(QpackLimits { table_bytes: 100, instruction_bytes: 64, list_bytes: 40, fields: 2 });
    let refused = Err(QpackError::TooLarge);
    assert_eq!(encode(&mut small(), &hex("3fbd01")), refused, "a table beyond the bound");
    assert_eq!(encode(&mut small(), &hex(B3)), refused, "an entry that does not fit");
    assert_eq!(decode(&small(), "0000 d1d1d1").map(drop), refused, "fields");
    let mut endless = small();
    assert_eq!(encode(&mut endless, &[0x5f; 4]), Ok(()), "cut off");
    assert!(encode(&mut endless, &[0xff; 200]).is_err(), "an instruction that never ends");
    assert!(endless.heap_bytes() < 1000);
}

proptest! {
    #[test]
    fn cutting_the_encoder_stream_changes_nothing(cuts in proptest::collection::vec(0_usize..200, 0..6)) {
        let stream = hex(&[B2, B3, B4, B5].concat());
        let mut decoder = decoder(220);
        let mut cuts = cuts.into_iter().map(|cut| cut % stream.len()).collect::<Vec<_>>();
        cuts.sort_unstable();
        cuts.push(stream.len());
        let mut from = 0;
        for cut in cuts {
            encode(&mut decoder, &stream[from..cut]).unwrap();
            from = cut;
        }
        prop_assert_eq!((decoder.inserted, decoder.table_bytes, decoder.pending.len()), (5, 215, 0));
    }

    #[test]
    fn any_bytes_are_survived(encoder: Vec<u8>, section: Vec<u8>, announced in 0_u64..5000) {
        let mut decoder = decoder(announced);
        let _ = encode(&mut decoder, &encoder);
        let _ = decoder.decode(&section, |_, _| {});
        prop_assert!(decoder.heap_bytes() < 300_000);
    }
}
