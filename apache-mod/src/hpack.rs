//! Just enough HPACK (RFC 7541) to tell the order of the pseudo-headers in the first header block of a connection.
//!
//! Promises: reads names only, decodes no value, keeps no text; the work is linear in the block; a block that is cut or
//! invalid gives what was read before the damage. Read next: `h2fp.rs`, which finds the block.

/// Most pseudo-headers that are noted; a valid request has at most five.
const MAX_PSEUDO: usize = 8;
/// Most entries remembered of the block's own dynamic-table insertions; later ones are unknown names.
const MAX_DYNAMIC: usize = 256;

/// Names that begin with a colon and can be spelled out, plain and Huffman-coded (RFC 7541 appendix B).
const SPELLED: [(&[u8], &[u8], u8); 5] = [
    (b":method", b"\xb9\x49\x53\x39\xe4", b'm'),
    (b":authority", b"\xb8\x3b\x53\x39\xec\x32\x7d\x7f", b'a'),
    (b":scheme", b"\xb8\x82\x4e\x5a\x4b", b's'),
    (b":path", b"\xb9\x58\xd3\x3f", b'p'),
    // RFC 8441, not in the static table. `c` (connect) because `p` is taken by the path.
    (b":protocol", b"\xb9\x5d\x87\x49\xc8\x7a\x3f", b'c'),
];

/// Letters of the pseudo-headers in the order sent (`m`, `a`, `s`, `p`, `c` for `:protocol`, `?` for an unknown one), and
/// whether the list is known to be complete: a regular field or the end of the block was reached without damage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PseudoOrder {
    /// Letters in wire order.
    pub letters: Vec<u8>,
    /// `false` if the block ended or became unreadable among the pseudo-headers.
    pub complete: bool,
}

/// Reads the pseudo-headers at the start of `block`, the first header block of the connection (the dynamic table is empty).
#[must_use]
pub fn pseudo_order(block: &[u8]) -> PseudoOrder {
    let mut order = PseudoOrder::default();
    let mut inserted: Vec<Name> = Vec::new();
    let mut rest = Cursor { bytes: block };
    while let Some(first) = rest.peek() {
        let field = match first {
            0x80.. => rest.integer(0x7f).and_then(|index| name_at(index, &inserted)),
            0x40.. => rest.literal(0x3f, &inserted).inspect(|name| {
                if inserted.len() < MAX_DYNAMIC {
                    inserted.push(*name);
                }
            }),
            // A table size update comes before the fields and names none.
            0x20.. => match rest.integer(0x1f) {
                Some(_) => continue,
                None => None,
            },
            _ => rest.literal(0x0f, &inserted),
        };
        match field {
            Some(Name::Pseudo(letter)) if order.letters.len() < MAX_PSEUDO => order.letters.push(letter),
            // RFC 9113 §8.3: pseudo-headers come before the regular fields, so the first of these ends the list.
            Some(Name::Regular) => {
                order.complete = true;
                return order;
            }
            Some(Name::Pseudo(_)) | None => return order,
        }
    }
    order.complete = true;
    order
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Pseudo(u8),
    Regular,
}

/// Static table (RFC 7541 appendix A), then the entries of this block, newest first. Index 0 and unknown ones are errors.
fn name_at(index: usize, inserted: &[Name]) -> Option<Name> {
    Some(match index {
        0 => return None,
        1 => Name::Pseudo(b'a'),
        2 | 3 => Name::Pseudo(b'm'),
        4 | 5 => Name::Pseudo(b'p'),
        6 | 7 => Name::Pseudo(b's'),
        8..=14 => Name::Pseudo(b'?'),
        15..=61 => Name::Regular,
        _ => *inserted.get(inserted.len().checked_sub(index.checked_sub(61)?)?)?,
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    /// RFC 7541 §5.1. Four continuation bytes reach beyond any length that fits the bytes we keep.
    fn integer(&mut self, mask: u8) -> Option<usize> {
        let prefix = self.byte()? & mask;
        let mut value = usize::from(prefix);
        if prefix < mask {
            return Some(value);
        }
        for shift in [0u32, 7, 14, 21] {
            let byte = self.byte()?;
            value = value.checked_add(usize::from(byte & 0x7f).checked_shl(shift)?)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// RFC 7541 §5.2: whether it is Huffman-coded, and the bytes.
    fn string(&mut self) -> Option<(bool, &'a [u8])> {
        let huffman = self.peek()? >= 0x80;
        let len = self.integer(0x7f)?;
        let (text, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some((huffman, text))
    }

    /// RFC 7541 §6.2: an indexed or spelled name, then a value. The value may be cut: the name has been seen whole.
    fn literal(&mut self, mask: u8, inserted: &[Name]) -> Option<Name> {
        let name = match self.integer(mask)? {
            0 => {
                let (huffman, text) = self.string()?;
                spelled(huffman, text)
            }
            index => name_at(index, inserted)?,
        };
        match self.string() {
            Some(_) => Some(name),
            None => {
                self.bytes = &[];
                (name == Name::Regular).then_some(name)
            }
        }
    }
}

fn spelled(huffman: bool, text: &[u8]) -> Name {
    // `:` is the seven bits 1011100.
    let colon = text.first().is_some_and(|first| if huffman { first >> 1 == 0x5c } else { *first == b':' });
    if !colon {
        return Name::Regular;
    }
    let known = SPELLED.iter().find(|(plain, coded, _)| text == if huffman { *coded } else { *plain });
    Name::Pseudo(known.map_or(b'?', |(_, _, letter)| *letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(block: &[u8]) -> (String, bool) {
        let order = pseudo_order(block);
        (String::from_utf8(order.letters).expect("letters are ASCII"), order.complete)
    }

    #[test]
    fn the_examples_of_rfc_7541_appendix_c() {
        // C.3.1: :method GET, :scheme http, :path /, :authority www.example.com
        assert_eq!(letters(b"\x82\x86\x84\x41\x0fwww.example.com"), ("mspa".into(), true));
        // C.4.1: the same with Huffman coding
        assert_eq!(letters(b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"), ("mspa".into(), true));
    }

    #[test]
    fn names_spelled_out_and_entries_of_the_same_block() {
        let block = b"\x00\x07:method\x03GET\x10\x84\xb9\x58\xd3\x3f\x01/\x40\x87\xb9\x5d\x87\x49\xc8\x7a\x3f\x01w\xbe\x40\x04:odd\x00\x0f\x2b\x00";
        // 0xbe is index 62: the `:protocol` just inserted. 0x0f 0x2b is static name 58, user-agent.
        assert_eq!(letters(block), ("mpcc?".into(), true));
    }

    #[test]
    fn a_size_update_is_no_field() {
        assert_eq!(letters(b"\x3f\xe1\x1f\x82\x84"), ("mp".into(), true));
    }

    #[test]
    fn damage_keeps_what_came_before_and_says_so() {
        assert_eq!(letters(b"\x82\x80\x84"), ("m".into(), false)); // index 0
        assert_eq!(letters(b"\x82\xc5\x84"), ("m".into(), false)); // entry never inserted
        assert_eq!(letters(b"\x82\x41\x7f"), ("m".into(), false)); // value cut
        assert_eq!(letters(b"\x82\xff\xff\xff\xff\xff\xff"), ("m".into(), false)); // integer too long
        // A cut *regular* field ends the list all the same: no pseudo-header may follow it.
        assert_eq!(letters(b"\x82\x84\x0f\x2b\x7f"), ("mp".into(), true));
    }

    #[test]
    fn a_thousand_pseudo_headers_are_not_kept() {
        assert_eq!(letters(&[0x82; 1000]), ("mmmmmmmm".into(), false));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_without_panic(block in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            proptest::prop_assert!(pseudo_order(&block).letters.len() <= MAX_PSEUDO);
        }
    }
}
