//! JA4X: how an X.509 certificate was generated (FoxIO technical_details/JA4X.md): the OIDs of issuer, subject, extensions.
//!
//! JA4X is Copyright (c) FoxIO, LLC, patent pending, licensed under the FoxIO License 1.1
//! (<https://github.com/FoxIO-LLC/ja4/blob/main/LICENSE>): no monetisation without a licence from FoxIO. Built only with
//! the cargo feature `ja4plus`. The code is our own, written from the description and the published examples.
//! Promises: a bounded walk over the DER (RFC 5280 section 4.1 gives the structure): no recursion, no allocation but the
//! result, each byte visited a fixed number of times; a certificate that does not follow the structure yields None.

use super::ja4h::hash12;

/// JA4X of one certificate, hashed and raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ja4x {
    /// `<issuer>_<subject>_<extensions>`: each the first 12 hex digits of SHA-256 over the comma-joined hex OIDs, or zeros.
    pub ja4x: String,
    /// The same with the lists themselves, for example `550406,55040a_550403_551d23`.
    pub ja4x_r: String,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const EXPLICIT_VERSION: u8 = 0xa0;
const EXPLICIT_EXTENSIONS: u8 = 0xa3;

/// Computes JA4X of a DER-encoded certificate; None when it is cut off or no certificate.
///
/// The hashed text is the content bytes of each OID (without tag and length) in hex, in the order of the certificate.
#[must_use]
pub fn ja4x(der: &[u8]) -> Option<Ja4x> {
    let mut input = der;
    let mut certificate = expect(&mut input, SEQUENCE)?;
    let mut tbs = expect(&mut certificate, SEQUENCE)?;
    if tbs.first() == Some(&EXPLICIT_VERSION) {
        element(&mut tbs)?;
    }
    let (_serial, _signature) = (element(&mut tbs)?, element(&mut tbs)?);
    let issuer = name_oids(expect(&mut tbs, SEQUENCE)?)?;
    let _validity = element(&mut tbs)?;
    let subject = name_oids(expect(&mut tbs, SEQUENCE)?)?;
    let _public_key = element(&mut tbs)?;
    let mut extensions = String::new();
    while !tbs.is_empty() {
        let (tag, mut content) = element(&mut tbs)?;
        if tag == EXPLICIT_EXTENSIONS {
            extensions = extension_oids(expect(&mut content, SEQUENCE)?)?;
        }
    }
    let parts = [&issuer, &subject, &extensions].map(|list| hash12(list.as_bytes()));
    Some(Ja4x { ja4x: parts.join("_"), ja4x_r: [issuer, subject, extensions].join("_") })
}

/// OIDs of a Name: SEQUENCE OF SET OF SEQUENCE { type OID, value }.
fn name_oids(mut name: &[u8]) -> Option<String> {
    let mut list = String::new();
    while !name.is_empty() {
        let mut relative_name = expect(&mut name, SET)?;
        while !relative_name.is_empty() {
            let mut attribute = expect(&mut relative_name, SEQUENCE)?;
            push_oid(&mut list, expect(&mut attribute, OBJECT_IDENTIFIER)?);
        }
    }
    Some(list)
}

/// OIDs of Extensions: SEQUENCE OF SEQUENCE { id OID, … }.
fn extension_oids(mut extensions: &[u8]) -> Option<String> {
    let mut list = String::new();
    while !extensions.is_empty() {
        let mut extension = expect(&mut extensions, SEQUENCE)?;
        push_oid(&mut list, expect(&mut extension, OBJECT_IDENTIFIER)?);
    }
    Some(list)
}

fn push_oid(list: &mut String, oid: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if !list.is_empty() {
        list.push(',');
    }
    for byte in oid {
        for nibble in [byte >> 4, byte & 0xf] {
            list.push(DIGITS.get(usize::from(nibble)).map_or('0', |d| char::from(*d)));
        }
    }
}

/// Takes one element that must have `tag` and gives its content.
fn expect<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, content) = element(input)?;
    (found == tag).then_some(content)
}

/// Takes one DER element: tag and content. Lengths of up to four bytes; no indefinite form, no multi-byte tags.
fn element<'a>(input: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut len = usize::from(first);
    if first & 0x80 != 0 {
        let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if tag & 0x1f == 0x1f || bytes.is_empty() || bytes.len() > 4 {
            return None;
        }
        len = bytes.iter().fold(0usize, |len, byte| (len << 8) | usize::from(*byte));
        rest = after;
    }
    let (content, after) = rest.split_at_checked(len)?;
    *input = after;
    Some((tag, content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = content.len();
        let head = if len < 128 { vec![tag, len as u8] } else { vec![tag, 0x82, (len >> 8) as u8, len as u8] };
        [head, content.to_vec()].concat()
    }

    fn name(oids: &[&[u8]]) -> Vec<u8> {
        let sets: Vec<u8> =
            oids.iter().flat_map(|oid| tlv(SET, &tlv(SEQUENCE, &[tlv(6, oid), tlv(12, b"x")].concat()))).collect();
        tlv(SEQUENCE, &sets)
    }

    fn certificate(version: bool, extensions: &[&[u8]]) -> Vec<u8> {
        let listed: Vec<u8> =
            extensions.iter().flat_map(|oid| tlv(SEQUENCE, &[tlv(6, oid), tlv(4, &[0; 150])].concat())).collect();
        let mut tbs = if version { tlv(EXPLICIT_VERSION, &tlv(2, &[2])) } else { Vec::new() };
        tbs.extend([tlv(2, &[1]), tlv(SEQUENCE, &[]), name(&[&[0x55, 4, 6], &[0x55, 4, 10], &[0x55, 4, 3]])].concat());
        tbs.extend([tlv(SEQUENCE, &[]), name(&[&[0x55, 4, 3]]), tlv(SEQUENCE, &[])].concat());
        if !extensions.is_empty() {
            tbs.extend(tlv(EXPLICIT_EXTENSIONS, &tlv(SEQUENCE, &listed)));
        }
        tlv(SEQUENCE, &[tlv(SEQUENCE, &tbs), tlv(SEQUENCE, &[]), tlv(3, &[0])].concat())
    }

    #[test]
    fn oids_in_order_with_and_without_version_and_extensions() {
        let got = ja4x(&certificate(true, &[&[0x55, 0x1d, 0x23], &[0x2b, 6, 1]])).unwrap();
        assert_eq!(got.ja4x_r, "550406,55040a,550403_550403_551d23,2b0601");
        // The issuer list C, O, CN is the commonest one of published values.
        assert!(got.ja4x.starts_with("a373a9f83c6b_"), "{}", got.ja4x);
        let got = ja4x(&certificate(false, &[])).unwrap();
        assert!(got.ja4x.ends_with("_000000000000") && got.ja4x_r.ends_with("_550403_"));
    }

    #[test]
    fn every_truncation_is_refused() {
        let whole = certificate(true, &[&[0x55, 0x1d, 0x23]]);
        assert!((0..whole.len()).all(|len| ja4x(&whole[..len]).is_none()));
    }

    proptest! {
        #[test]
        fn damaged_certificates_never_panic(flips in prop::collection::vec((0usize..300, any::<u8>()), 1..6)) {
            let mut der = certificate(true, &[&[0x55, 0x1d, 0x23]]);
            for (at, byte) in flips {
                let at = at % der.len();
                der[at] = byte;
            }
            let _ = ja4x(&der);
        }
    }
}
