//! The frames that an Initial packet may hold (RFC 9000 sections 12.4 and 19): CRYPTO is handed on, the rest stepped over.
//!
//! Promises: consumes at least one byte for each frame, so a packet costs time linear in its size; an unknown or cut-off
//! frame ends the packet, what came before it stays.
//! Read next: `crypto_stream.rs`.

use super::packet::{take_bytes, take_varint};

/// A frame of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// Handshake bytes at an offset of the direction's CRYPTO stream.
    Crypto { offset: u64, data: &'a [u8] },
    /// The peer gave up.
    ConnectionClose,
}

/// Takes the next CRYPTO or CONNECTION_CLOSE frame off `rest`; None at the end of the packet or of what can be read.
///
/// `crypto_type` is the version's type of CRYPTO frames.
pub(super) fn next<'a>(rest: &mut &'a [u8], crypto_type: u64) -> Option<Frame<'a>> {
    loop {
        // Clients pad to 1,200 bytes: runs of PADDING frames are stepped over in large steps.
        while let Some((&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], tail)) = rest.split_first_chunk::<16>() {
            *rest = tail;
        }
        match take_varint(rest)? {
            0x00 | 0x01 => {} // PADDING, PING
            kind @ (0x02 | 0x03) => skip_ack(rest, kind == 0x03)?,
            kind if kind == crypto_type => {
                let offset = take_varint(rest)?;
                let len = take_varint(rest)?;
                return Some(Frame::Crypto { offset, data: take_bytes(rest, len)? });
            }
            0x1c | 0x1d => {
                *rest = &[];
                return Some(Frame::ConnectionClose);
            }
            _ => return None,
        }
    }
}

/// Steps over the body of an ACK frame (RFC 9000 19.3); each range costs two integers that must be present.
pub(super) fn skip_ack(rest: &mut &[u8], has_ecn_counts: bool) -> Option<()> {
    let (_largest, _delay, ranges, _first) = (take_varint(rest)?, take_varint(rest)?, take_varint(rest)?, take_varint(rest)?);
    for _ in 0..ranges {
        take_varint(rest)?;
        take_varint(rest)?;
    }
    if has_ecn_counts {
        for _ in 0..3 {
            take_varint(rest)?;
        }
    }
    Some(())
}
