//! The NSS key log format: one secret a line, `LABEL <client random> <secret>` (draft-ietf-tls-keylogfile).
//!
//! Promises: bounded by connections; a bad line is counted, never fatal; LF and CRLF; the last secret given for a label
//! wins. Labels that decryption does not need (exporters, QUIC duplicates, later traffic secrets) are counted as ignored.
//! Read next: `decrypt.rs`, which consumes the secrets of one connection.

use super::secret::{Secret, decode_hex};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Longest line that is looked at; the longest useful one has 196 bytes.
const LINE_MAX_BYTES: usize = 512;

/// Bounds of a key log.
#[derive(Clone, Copy, Debug)]
pub struct KeyLogLimits {
    /// Connections (client randoms) held; secrets of further ones are refused and counted. Default 1,000,000.
    pub connections: usize,
}

impl Default for KeyLogLimits {
    fn default() -> Self {
        Self { connections: 1_000_000 }
    }
}

/// What became of the lines read so far; blank lines and comments are in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLogStats {
    /// Secrets taken.
    pub accepted: u64,
    /// Well-formed lines whose label decryption does not use.
    pub ignored: u64,
    /// Lines that do not follow the format.
    pub malformed: u64,
    /// Secrets refused because `KeyLogLimits::connections` was reached.
    pub refused: u64,
}

/// Secrets by client random. Wiped when dropped.
#[derive(Default)]
pub struct KeyLog {
    limits: KeyLogLimits,
    connections: HashMap<[u8; 32], ConnectionSecrets>,
    stats: KeyLogStats,
}

/// The secrets of one connection, as far as they were logged.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSecrets {
    pub(super) master: Option<Secret>,
    pub(super) client_early: Option<Secret>,
    pub(super) client_handshake: Option<Secret>,
    pub(super) server_handshake: Option<Secret>,
    pub(super) client_application: Option<Secret>,
    pub(super) server_application: Option<Secret>,
}

impl std::fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyLog").field("connections", &self.connections.len()).field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl KeyLog {
    /// An empty log.
    #[must_use]
    pub fn new(limits: KeyLogLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Reads a whole text: a key-log file, or the secrets data of a pcapng Decryption Secrets Block of type TLS Key Log.
    pub fn add_text(&mut self, text: &[u8]) {
        for line in text.split(|b| *b == b'\n') {
            self.add_line(line);
        }
    }

    /// Reads one line, with or without its end.
    pub fn add_line(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        match parse(line) {
            None => self.stats.malformed = self.stats.malformed.saturating_add(1),
            Some((_, _, None)) => self.stats.ignored = self.stats.ignored.saturating_add(1),
            Some((random, secret, Some(field))) => self.insert(random, secret, field),
        }
    }

    /// Whether a text holds a secret that decryption uses.
    #[must_use]
    pub fn holds_any(text: &[u8]) -> bool {
        text.split(|b| *b == b'\n').any(|line| matches!(parse(line.trim_ascii()), Some((_, _, Some(_)))))
    }

    /// The secrets of the connection whose ClientHello carried `client_random`.
    #[must_use]
    pub fn get(&self, client_random: &[u8; 32]) -> Option<&ConnectionSecrets> {
        self.connections.get(client_random)
    }

    /// Connections held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// True when no secret is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// What became of the lines read so far.
    #[must_use]
    pub fn stats(&self) -> KeyLogStats {
        self.stats
    }

    fn insert(&mut self, random: [u8; 32], secret: Secret, field: Field) {
        let full = self.connections.len() >= self.limits.connections;
        let secrets = match self.connections.entry(random) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if full => {
                self.stats.refused = self.stats.refused.saturating_add(1);
                return;
            }
            Entry::Vacant(entry) => entry.insert(ConnectionSecrets::default()),
        };
        *field(secrets) = Some(secret);
        self.stats.accepted = self.stats.accepted.saturating_add(1);
    }
}

/// Where a label's secret is kept.
type Field = fn(&mut ConnectionSecrets) -> &mut Option<Secret>;

/// Splits a line; the field is None for labels that are not used.
fn parse(line: &[u8]) -> Option<([u8; 32], Secret, Option<Field>)> {
    if line.len() > LINE_MAX_BYTES {
        return None;
    }
    let mut words = line.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
    let (label, random_digits, secret_digits) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !label.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_') {
        return None;
    }
    let secret = Secret::from_hex(secret_digits)?;
    let field = field_of(label);
    let mut random = [0; 32];
    // The first word of an unused label need not be a client random ("RSA" logs part of the encrypted secret).
    if decode_hex(random_digits, &mut random).is_none() {
        return if field.is_none() { Some((random, secret, None)) } else { None };
    }
    let fits = match secret.bytes().len() {
        48 => true,
        32 => label != b"CLIENT_RANDOM",
        _ => field.is_none(),
    };
    fits.then_some((random, secret, field))
}

fn field_of(label: &[u8]) -> Option<Field> {
    match label {
        b"CLIENT_RANDOM" => Some(|s| &mut s.master),
        b"CLIENT_EARLY_TRAFFIC_SECRET" => Some(|s| &mut s.client_early),
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Some(|s| &mut s.client_handshake),
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Some(|s| &mut s.server_handshake),
        b"CLIENT_TRAFFIC_SECRET_0" => Some(|s| &mut s.client_application),
        b"SERVER_TRAFFIC_SECRET_0" => Some(|s| &mut s.server_application),
        _ => None,
    }
}
