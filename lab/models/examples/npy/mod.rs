//! Reads the two kinds of `.npy` the bench examples need, and their command line. Not part of the library.
#![allow(dead_code, clippy::print_stdout, missing_docs)]

use std::error::Error;

/// A row-major float64 table: number of columns and values.
pub fn read_f64(path: &str) -> Result<(usize, Vec<f64>), Box<dyn Error>> {
    let file = std::fs::read(path)?;
    let (header, body) = split(&file)?;
    if !header.contains("'<f8'") || header.contains("'fortran_order': True") {
        return Err(format!("{path}: needs float64 in C order").into());
    }
    let shape = header.split_once("'shape': (").and_then(|(_, rest)| rest.split_once(')')).ok_or("no shape")?.0;
    let columns = shape.split(',').nth(1).and_then(|text| text.trim().parse().ok()).unwrap_or(1);
    Ok((columns, body.as_chunks::<8>().0.iter().map(|&chunk| f64::from_le_bytes(chunk)).collect()))
}

/// One byte per row, 0 or 1.
pub fn read_labels(path: &str) -> Result<Vec<bool>, Box<dyn Error>> {
    let file = std::fs::read(path)?;
    Ok(split(&file)?.1.iter().map(|&byte| byte != 0).collect())
}

/// Writes float64 values as a one-dimensional `.npy`.
pub fn write_f64(path: &str, values: &[f64]) -> Result<(), Box<dyn Error>> {
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}", values.len());
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend_from_slice(&(header.len() as u16).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    values.iter().for_each(|value| file.extend_from_slice(&value.to_le_bytes()));
    Ok(std::fs::write(path, file)?)
}

fn split(file: &[u8]) -> Result<(String, &[u8]), Box<dyn Error>> {
    let length = u16::from_le_bytes([*file.get(8).ok_or("short file")?, *file.get(9).ok_or("short file")?]) as usize;
    let header = file.get(10..10 + length).ok_or("short file")?;
    Ok((String::from_utf8_lossy(header).into_owned(), &file[10 + length..]))
}

/// Positional arguments and `--name value` pairs.
pub struct Args(Vec<String>);

impl Args {
    pub fn new() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    pub fn position(&self, index: usize) -> Option<&str> {
        let mut flags = 0;
        let plain = self.0.iter().filter(|text| {
            let is_flag = text.starts_with("--");
            flags = if is_flag { 2 } else { flags };
            let keep = flags == 0;
            flags = if flags > 0 && !is_flag { 0 } else { flags };
            keep
        });
        plain.map(String::as_str).nth(index)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|text| text == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    pub fn number(&self, name: &str, default: f64) -> f64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}
