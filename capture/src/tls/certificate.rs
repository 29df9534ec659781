//! The certificates of a TLS ≤ 1.2 Certificate message (RFC 5246 §7.4.2), as borrowed DER.
//!
//! Promises: in chain order; a list that is cut off gives the whole certificates before the cut.
//!
//! Read next: `../plus/ja4x.rs` (fingerprints them).

use crate::bytes::Cursor;

/// DER of each certificate in a whole Certificate message (header included), in order.
pub fn certificates(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut cursor = Cursor::new(message);
    let list = cursor.skip(4).and_then(|()| cursor.u24()).map_or(&[][..], |length| {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        cursor.take_up_to(length)
    });
    let mut cursor = Cursor::new(list);
    std::iter::from_fn(move || cursor.vec24())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_chain_keeps_the_whole_certificates() {
        let message = [11, 0, 0, 20, 0, 0, 13, 0, 0, 2, 7, 8, 0, 0, 9, 1];
        assert_eq!(certificates(&message).collect::<Vec<_>>(), [&[7, 8]]);
    }
}
