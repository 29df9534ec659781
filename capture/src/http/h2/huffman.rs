//! The Huffman code of HPACK (RFC 7541 appendix B), decoded by its canonical form.
//!
//! Promises: no tables built at run time, output bounded by the caller, padding checked as section 5.2 demands. The code is
//! canonical (codes of one length are consecutive in symbol order), so the lengths alone define it; a test holds it against
//! the RFC's own examples.
//! Read next: `hpack.rs`.

/// Code lengths in bits of symbols 0 to 255 and of the end-of-string symbol.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28,
    28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7,
    6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24,
    23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27,
    26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
    24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const LONGEST: usize = 30;
const END_OF_STRING: u16 = 256;
static TABLES: Tables = Tables::build();

/// For each length: the first code beyond it (left-aligned to 32 bits), and how a code maps to its symbol.
struct Tables {
    /// Codes of length `n` are below `limit[n]` when left-aligned.
    limit: [u64; LONGEST + 1],
    /// `symbols` index of the first code of length `n`, minus that code; wraps.
    base: [u32; LONGEST + 1],
    symbols: [u16; 257],
}

impl Tables {
    /// Evaluated at compile time: an index out of range would stop the build, not the sensor.
    #[allow(clippy::indexing_slicing)]
    const fn build() -> Self {
        let mut tables = Self { limit: [0; LONGEST + 1], base: [0; LONGEST + 1], symbols: [0; 257] };
        let (mut code, mut filled, mut len) = (0u32, 0usize, 1usize);
        while len <= LONGEST {
            code <<= 1;
            tables.base[len] = (filled as u32).wrapping_sub(code);
            let mut symbol = 0;
            while symbol < 257 {
                if LENGTHS[symbol] as usize == len {
                    tables.symbols[filled] = symbol as u16;
                    filled += 1;
                    code += 1;
                }
                symbol += 1;
            }
            tables.limit[len] = (code as u64) << (32 - len);
            len += 1;
        }
        assert!(filled == 257, "every symbol has a length up to 30 bits");
        tables
    }
}

/// Decodes `coded` and appends at most `room` bytes to `out`; None on invalid codes, padding or when `room` is too small.
pub(super) fn decode(coded: &[u8], room: usize, out: &mut Vec<u8>) -> Option<()> {
    // `window` holds `bits` unread bits at its top.
    let (mut window, mut bits, mut left) = (0u64, 0u32, room);
    let mut input = coded.iter();
    loop {
        while bits <= 32 {
            let Some(byte) = input.next() else { break };
            window |= u64::from(*byte) << (56 - bits);
            bits += 8;
        }
        let head = (window >> 32) & 0xffff_ffff;
        let (len, symbol) = next_symbol(head)?;
        if len > bits {
            // Fewer than 8 bits, all ones, are padding (section 5.2).
            let padding = 64u32.checked_sub(bits)?;
            let all_ones = bits == 0 || window >> padding == (1u64 << bits) - 1;
            return (bits < 8 && all_ones).then_some(());
        }
        if symbol == END_OF_STRING {
            return None;
        }
        left = left.checked_sub(1)?;
        out.push(symbol as u8);
        window <<= len;
        bits -= len;
    }
}

/// The symbol whose code starts `head` (32 bits), and the code's length.
fn next_symbol(head: u64) -> Option<(u32, u16)> {
    let tables = &TABLES;
    for (len, (limit, base)) in tables.limit.iter().zip(&tables.base).enumerate().skip(5) {
        if head < *limit {
            let code = (head >> (32 - len)) as u32;
            let symbol = *tables.symbols.get(base.wrapping_add(code) as usize)?;
            return Some((len as u32, symbol));
        }
    }
    // All ones beyond 30 bits: only padding can look so; the caller sees that too few bits are left.
    Some((u32::MAX, END_OF_STRING))
}
