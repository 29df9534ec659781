//! The key of pseudonyms: 32 random bytes in a file of its own, and what is computed with it.
//!
//! Promises: a key file is made readable by its owner alone and never overwritten; its name (8 digits) gives nothing of it away.
//!
//! Read next: `mod.rs`.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use ja4_replay::digest::hex;
use sha2::{Digest as _, Sha256};

use crate::error::LabError;

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

impl Key {
    /// From its bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the key in `path`; where there is no such file, makes one.
    ///
    /// # Errors
    /// A file that holds no key, or the file system's refusal.
    pub fn open(path: &Path) -> Result<Self, LabError> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                let source = Path::new("/dev/urandom");
                let mut bytes = [0_u8; 32];
                let read = std::fs::File::open(source).and_then(|mut random| random.read_exact(&mut bytes));
                read.map_err(LabError::io("read", source))?;
                let written = file.write_all(format!("{}\n", hex(&bytes)).as_bytes()).and_then(|()| file.sync_all());
                written.map_err(LabError::io("write", path))?;
                Ok(Self(bytes))
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let text = std::fs::read_to_string(path).map_err(LabError::io("read", path))?;
                Self::parse(text.trim()).ok_or_else(|| {
                    LabError::Ask(format!(
                        "read key {}: it holds no key (64 hexadecimal digits); name another file",
                        path.display()
                    ))
                })
            }
            Err(error) => Err(LabError::io("create", path)(error)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// What it is called in a case file: the same for the same key, and no help to whoever lacks it.
    #[must_use]
    pub fn name(&self) -> String {
        hex(&self.digest(b"name", &[])).get(..8).unwrap_or_default().to_owned()
    }

    /// A number that only the key's owner can compute from these bytes.
    fn digest(&self, domain: &[u8], bytes: &[u8]) -> [u8; 32] {
        let mut all = Sha256::new();
        all.update(self.0);
        all.update([u8::try_from(domain.len()).unwrap_or(u8::MAX)]);
        all.update(domain);
        all.update(bytes);
        // Twice, so that nobody can continue a digest that was published.
        Sha256::digest(all.finalize()).into()
    }

    /// A word of `digits` hexadecimal digits for `text`.
    pub(super) fn word(&self, domain: &str, text: &str, digits: usize) -> String {
        hex(&self.digest(domain.as_bytes(), text.as_bytes())).get(..digits).unwrap_or_default().to_owned()
    }

    /// A number for a number; for networks one of those set aside for private use (RFC 6996), 0 and -1 (unknown) stay.
    pub(super) fn number(&self, column: &str, value: i64) -> i64 {
        if value == 0 || value == -1 {
            return value;
        }
        let digest = self.digest(column.as_bytes(), &value.to_le_bytes());
        let mut first = [0_u8; 8];
        first.iter_mut().zip(digest).for_each(|(slot, byte)| *slot = byte);
        let number = i64::from_le_bytes(first);
        if column == "asn" { 4_200_000_000 + number.rem_euclid(94_967_295) } else { number }
    }

    /// An address whose leading bits agree with those of another one's pseudonym exactly as far as the addresses do.
    pub(super) fn address(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(v4) => {
                let bits = self.bits(b"v4", u128::from(u32::from(v4)) << 96, 32) >> 96;
                IpAddr::V4(Ipv4Addr::from(u32::try_from(bits).unwrap_or_default()))
            }
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(self.bits(b"v6", u128::from(v6), 128))),
        }
    }

    /// The first `length` bits of `value`, each turned over or not by what stands before it.
    fn bits(&self, domain: &[u8], value: u128, length: u32) -> u128 {
        let mut flips = 0_u128;
        for place in 0..length {
            let prefix = if place == 0 { 0 } else { value >> (128 - place) << (128 - place) };
            let mut bytes = [0_u8; 17];
            bytes.iter_mut().zip(prefix.to_be_bytes()).for_each(|(slot, byte)| *slot = byte);
            bytes[16] = u8::try_from(place).unwrap_or(u8::MAX);
            let [first, ..] = self.digest(domain, &bytes);
            flips |= u128::from(first >> 7) << (127 - place);
        }
        value ^ flips
    }
}
