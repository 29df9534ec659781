//! Joined rows as spool records: many rows a record, each written as what differs from the row before.
//!
//! A block: version (1), number of columns, number of rows, then for each row one bit a column (0: as in the row before) and the values
//! that differ. Integers are zigzag LEB128, floats their 8 bytes, texts their length (LEB128) and bytes. The row before the first one is
//! [`HttpLogRow::unknown`]. The number of columns tells a block of another version of the program, which is refused, not misread.
//!
//! Promises: `decode(encode(rows)) == rows` for all rows; any other bytes give an error, never a panic, and memory follows the bytes
//! present (a row of 14 bytes, all of it as the one before, becomes one of about 3 KB), never a number that is claimed.
//!
//! Read next: `ja4_join::row`, `mod.rs`.

use ja4_join::row::{COLUMNS, ColumnKind, ColumnSource, ColumnVisitor, HttpLogRow, Text};

use crate::store::TlsOnlyRow;

const VERSION: u8 = 1;

/// Why a block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowsError {
    /// Written by another version of the program.
    #[error(
        "the rows were spooled by another version of this program (format {version}, {columns} columns); let that one deliver them first"
    )]
    OtherVersion {
        /// Its version of the format.
        version: u64,
        /// Its columns.
        columns: u64,
    },
    /// The bytes are not what was written.
    #[error("the bytes of spooled rows are damaged")]
    Damaged,
}

/// Rows as one record's payload.
#[must_use]
pub fn encode(rows: &[HttpLogRow]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len().saturating_mul(300).saturating_add(16));
    head(&mut out, COLUMNS.len(), rows.len());
    let mut before = values(&HttpLogRow::unknown());
    for row in rows {
        let now = values(row);
        write_row(&mut out, &before, &now);
        before = now;
    }
    out
}

/// The rows of a payload.
///
/// # Errors
/// See [`RowsError`].
pub fn decode(bytes: &[u8]) -> Result<Vec<HttpLogRow>, RowsError> {
    let mut cursor = Cursor { bytes };
    let count = cursor.head(COLUMNS.len())?;
    let mut before = values(&HttpLogRow::unknown());
    let mut rows = Vec::new();
    for _ in 0..count {
        cursor.row(&mut before).ok_or(RowsError::Damaged)?;
        rows.push(HttpLogRow::take(&mut Given(before.iter())).ok_or(RowsError::Damaged)?);
    }
    if cursor.bytes.is_empty() { Ok(rows) } else { Err(RowsError::Damaged) }
}

/// Rows that a payload of either kind says it holds; 0 if it says nothing.
#[must_use]
pub fn count(bytes: &[u8]) -> usize {
    let mut cursor = Cursor { bytes };
    let said = [COLUMNS.len(), TLS_COLUMNS].into_iter().find_map(|columns| {
        cursor.bytes = bytes;
        cursor.head(columns).ok()
    });
    said.map_or(0, |rows| usize::try_from(rows).unwrap_or(usize::MAX))
}

/// Handshakes without a request as one record's payload.
#[must_use]
pub fn encode_tls_only(rows: &[TlsOnlyRow]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len().saturating_mul(200).saturating_add(16));
    head(&mut out, TLS_COLUMNS, rows.len());
    let mut before = tls_unknown();
    for row in rows {
        let now = tls_values(row);
        write_row(&mut out, &before, &now);
        before = now;
    }
    out
}

/// The handshakes of a payload.
///
/// # Errors
/// See [`RowsError`].
pub fn decode_tls_only(bytes: &[u8]) -> Result<Vec<TlsOnlyRow>, RowsError> {
    let mut cursor = Cursor { bytes };
    let count = cursor.head(TLS_COLUMNS)?;
    let mut before = tls_unknown();
    let mut rows = Vec::new();
    for _ in 0..count {
        cursor.row(&mut before).ok_or(RowsError::Damaged)?;
        rows.push(tls_row(&before).ok_or(RowsError::Damaged)?);
    }
    if cursor.bytes.is_empty() { Ok(rows) } else { Err(RowsError::Damaged) }
}

const TLS_TEXTS: usize = 11;
const TLS_INTS: usize = 7;
/// Time, key, texts, numbers.
const TLS_COLUMNS: usize = 3 + TLS_TEXTS + TLS_INTS;

#[derive(Debug, Clone)]
enum Value {
    Int(i64),
    Float(f64),
    Text(Text),
}

impl Value {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            // By bits, so that -0.0 stays what it is.
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => std::sync::Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

struct Collected(Vec<Value>);

impl ColumnVisitor for Collected {
    fn int(&mut self, value: i64) {
        self.0.push(Value::Int(value));
    }

    fn float(&mut self, value: f64) {
        self.0.push(Value::Float(value));
    }

    fn text(&mut self, value: &Text) {
        self.0.push(Value::Text(Text::clone(value)));
    }
}

fn values(row: &HttpLogRow) -> Vec<Value> {
    let mut collected = Collected(Vec::with_capacity(COLUMNS.len()));
    row.visit(&mut collected);
    collected.0
}

struct Given<'a>(std::slice::Iter<'a, Value>);

impl ColumnSource for Given<'_> {
    fn int(&mut self) -> Option<i64> {
        if let Value::Int(value) = self.0.next()? { Some(*value) } else { None }
    }

    fn float(&mut self) -> Option<f64> {
        if let Value::Float(value) = self.0.next()? { Some(*value) } else { None }
    }

    fn text(&mut self) -> Option<Text> {
        if let Value::Text(value) = self.0.next()? { Some(Text::clone(value)) } else { None }
    }
}

fn tls_unknown() -> Vec<Value> {
    let kinds = std::iter::repeat_n(ColumnKind::Int, 3)
        .chain(std::iter::repeat_n(ColumnKind::Text, TLS_TEXTS))
        .chain(std::iter::repeat_n(ColumnKind::Int, TLS_INTS));
    kinds.map(|kind| if kind == ColumnKind::Text { Value::Text("".into()) } else { Value::Int(-1) }).collect()
}

fn tls_values(row: &TlsOnlyRow) -> Vec<Value> {
    let mut all = vec![Value::Int(row.ts_ns), Value::Int(row.key.0), Value::Int(row.key.1)];
    all.extend(row.texts.iter().map(|text| Value::Text(Text::clone(text))));
    all.extend(row.ints.iter().map(|int| Value::Int(*int)));
    all
}

fn tls_row(values: &[Value]) -> Option<TlsOnlyRow> {
    let mut given = Given(values.iter());
    let ts_ns = given.int()?;
    let key = (given.int()?, given.int()?);
    let texts: Option<Vec<Text>> = (0..TLS_TEXTS).map(|_| given.text()).collect();
    let ints: Option<Vec<i64>> = (0..TLS_INTS).map(|_| given.int()).collect();
    Some(TlsOnlyRow { ts_ns, key, texts: texts?.try_into().ok()?, ints: ints?.try_into().ok()? })
}

fn head(out: &mut Vec<u8>, columns: usize, rows: usize) {
    out.push(VERSION);
    unsigned(out, u64::try_from(columns).unwrap_or(u64::MAX));
    unsigned(out, u64::try_from(rows).unwrap_or(u64::MAX));
}

fn write_row(out: &mut Vec<u8>, before: &[Value], now: &[Value]) {
    for eight in now.chunks(8).zip(before.chunks(8)) {
        let bit = |(place, (now, before)): (usize, (&Value, &Value))| u8::from(!now.is(before)) << place;
        out.push(eight.0.iter().zip(eight.1).enumerate().map(bit).fold(0, |byte, bit| byte | bit));
    }
    for (now, _) in now.iter().zip(before).filter(|(now, before)| !now.is(before)) {
        match now {
            Value::Int(value) => unsigned(out, zigzag(*value)),
            Value::Float(value) => out.extend_from_slice(&value.to_bits().to_le_bytes()),
            Value::Text(text) => {
                unsigned(out, u64::try_from(text.len()).unwrap_or(u64::MAX));
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            let bits = u64::from(byte & 0x7f);
            value |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Checks version and columns; gives the number of rows.
    fn head(&mut self, columns: usize) -> Result<u64, RowsError> {
        let version = u64::from(*self.take(1).and_then(<[u8]>::first).ok_or(RowsError::Damaged)?);
        let found = self.unsigned().ok_or(RowsError::Damaged)?;
        if version != u64::from(VERSION) || found != u64::try_from(columns).unwrap_or(u64::MAX) {
            return Err(RowsError::OtherVersion { version, columns: found });
        }
        self.unsigned().ok_or(RowsError::Damaged)
    }

    /// Changes `row` into the next one.
    fn row(&mut self, row: &mut [Value]) -> Option<()> {
        let bits = self.take(row.len().div_ceil(8))?;
        for (place, value) in row.iter_mut().enumerate() {
            if bits.get(place / 8)? & (1 << (place % 8)) == 0 {
                continue;
            }
            *value = match value {
                Value::Int(_) => Value::Int(unzigzag(self.unsigned()?)),
                Value::Float(_) => Value::Float(f64::from_bits(u64::from_le_bytes(*self.take(8)?.first_chunk()?))),
                Value::Text(_) => {
                    let length = usize::try_from(self.unsigned()?).ok()?;
                    Value::Text(std::str::from_utf8(self.take(length)?).ok()?.into())
                }
            };
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(ints: &[i64], texts: &[String], float: f64) -> HttpLogRow {
        struct Made<'a>(std::iter::Cycle<std::slice::Iter<'a, i64>>, std::iter::Cycle<std::slice::Iter<'a, String>>, f64);
        impl ColumnSource for Made<'_> {
            fn int(&mut self) -> Option<i64> {
                self.0.next().copied()
            }
            fn float(&mut self) -> Option<f64> {
                Some(self.2)
            }
            fn text(&mut self) -> Option<Text> {
                self.1.next().map(|text| text.as_str().into())
            }
        }
        HttpLogRow::take(&mut Made(ints.iter().cycle(), texts.iter().cycle(), float)).unwrap()
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(
            rows in prop::collection::vec((prop::collection::vec(any::<i64>(), 1..9), prop::collection::vec(".{0,20}", 1..7), -1.0e9..1.0e9), 0..20),
        ) {
            let rows: Vec<HttpLogRow> = rows.iter().map(|(ints, texts, float)| row(ints, texts, *float)).collect();
            let bytes = encode(&rows);
            prop_assert_eq!(count(&bytes), rows.len());
            prop_assert_eq!(decode(&bytes).unwrap(), rows);
        }

        #[test]
        fn any_bytes_are_refused_calmly(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut block = vec![VERSION, 112, 200, 1];
            block.extend_from_slice(&bytes);
            let _ = decode(&block);
            let _ = decode_tls_only(&block);
            let _ = decode(&bytes);
            let _ = count(&bytes);
        }
    }

    #[test]
    fn a_row_like_the_one_before_costs_a_bit_a_column() {
        let one = row(&[1_700_000_000_000_000_000, 5, -1], &["Mozilla/5.0 (X11; Linux x86_64)".to_owned()], 1.0);
        let rows = vec![one; 1000];
        let bytes = encode(&rows);
        assert!(bytes.len() < 1000 * (COLUMNS.len().div_ceil(8)) + 5000, "{}", bytes.len());
        assert_eq!(decode(&bytes).unwrap(), rows);
    }

    #[test]
    fn handshakes_come_back_as_they_were() {
        let texts = std::array::from_fn(|place| Text::from(format!("text {place} \u{202e}\0")));
        let row = TlsOnlyRow { ts_ns: i64::MIN, key: (i64::MAX, -1), texts, ints: [1, 2, 3, -4, 5, 6, i64::MAX] };
        assert_eq!(count(&encode_tls_only(&[row.clone(), row.clone()])), 2);
        let back = decode_tls_only(&encode_tls_only(&[row.clone(), row.clone()])).unwrap();
        assert_eq!(format!("{back:?}"), format!("{:?}", [row.clone(), row]));
    }

    #[test]
    fn another_version_is_told_from_damage() {
        assert!(matches!(decode(&[9, 1, 0]), Err(RowsError::OtherVersion { version: 9, columns: 1 })));
        let mut bytes = encode(&[HttpLogRow::unknown()]);
        bytes.pop();
        assert_eq!(decode(&bytes), Err(RowsError::Damaged));
    }
}
