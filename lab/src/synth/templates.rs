//! Handshake and header templates: what real clients sent, cut from a recording (`datasets/templates/cut.py`).
//!
//! Promises: only the random of a hello, its session id and its server name are replaced; everything a fingerprint looks at stays, so
//! generated captures have the fingerprints of the recording (a test compares them).
//!
//! Read next: `wire.rs` (the packets made of them), `log.rs` (the headers).

use serde::{Deserialize, Deserializer};

use super::rng::Stream;
use crate::error::LabError;

const SITE_SMALL: &str = include_str!("../../../datasets/templates/site-small.toml");

/// Every template.
#[derive(Debug, Clone, Deserialize)]
pub struct Templates {
    /// Data set they were cut from.
    pub source: String,
    /// SHA-256 of its capture.
    pub capture_sha256: String,
    client: Vec<Client>,
}

/// One program.
#[derive(Debug, Clone, Deserialize)]
pub struct Client {
    /// Its name in the labels of the recording.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Class.
    pub class: String,
    /// Version.
    pub version: String,
    /// HTTP/2 fingerprint; empty where none was seen.
    pub h2: String,
    /// What it sent, the most frequent first.
    #[serde(default)]
    pub handshake: Vec<Handshake>,
    /// What it asked with.
    #[serde(default)]
    pub headers: Vec<Headers>,
}

/// One handshake, both sides.
#[derive(Debug, Clone, Deserialize)]
pub struct Handshake {
    /// How often the client used it, 0 to 1.
    pub share: f64,
    /// JA4 as recorded.
    pub ja4: String,
    /// JA3 as recorded.
    pub ja3: String,
    /// JA4T as recorded.
    pub ja4t: String,
    /// JA4S as recorded.
    pub ja4s: String,
    /// Protocols offered.
    pub alpn: Vec<String>,
    /// TTL on arrival, one hop away.
    pub ttl: u8,
    /// Don't-fragment bit.
    pub df: bool,
    /// Window of the SYN.
    pub window: u16,
    /// Options of the SYN.
    #[serde(deserialize_with = "hex_bytes")]
    pub options: Vec<u8>,
    /// Window of the answer.
    pub server_window: u16,
    /// Options of the answer.
    #[serde(deserialize_with = "hex_bytes")]
    pub server_options: Vec<u8>,
    /// TLS records with the ClientHello.
    #[serde(deserialize_with = "hex_bytes")]
    pub hello: Vec<u8>,
    /// TLS record with the ServerHello; empty where the server refused.
    #[serde(deserialize_with = "hex_bytes")]
    pub server_hello: Vec<u8>,
}

/// The headers of one kind of request.
#[derive(Debug, Clone, Deserialize)]
pub struct Headers {
    /// `page`, `asset`, `api` or `form`.
    #[serde(rename = "for")]
    pub purpose: String,
    /// Method.
    pub method: String,
    /// `HTTP/1.1` and so on.
    pub http_version: String,
    /// Names and values, without Host, Referer and what is secret.
    pub list: Vec<(String, String)>,
}

impl Templates {
    /// The templates that the program was built with.
    ///
    /// # Errors
    /// Never in a build whose tests pass.
    pub fn embedded() -> Result<Self, LabError> {
        toml::from_str(SITE_SMALL).map_err(|error| LabError::Ask(format!("read built-in templates: {error}")))
    }

    /// The template of this name that can be used: one with a handshake.
    #[must_use]
    pub fn client(&self, name: &str) -> Option<&Client> {
        self.client.iter().find(|client| client.name == name && !client.handshake.is_empty())
    }

    /// Every usable template.
    pub fn all(&self) -> impl Iterator<Item = &Client> {
        self.client.iter().filter(|client| !client.handshake.is_empty())
    }

    /// Names of them all, for a message.
    #[must_use]
    pub fn names(&self) -> String {
        self.all().map(|client| client.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Client {
    /// Headers for a purpose; those of a page, or any, where the recording has none.
    #[must_use]
    pub fn headers_for(&self, purpose: &str) -> Option<&Headers> {
        let of = |purpose: &str| self.headers.iter().find(|headers| headers.purpose == purpose);
        of(purpose).or_else(|| of("page")).or_else(|| self.headers.first())
    }
}

impl Handshake {
    /// The hello with fresh random bytes and `server_name` in place of the recorded one, where there was one.
    #[must_use]
    pub fn hello_for(&self, server_name: &str, random: &mut Stream) -> Vec<u8> {
        let mut message = handshake_message(&self.hello);
        refresh(&mut message, random);
        let message = rename(&message, server_name).unwrap_or(message);
        let version = self.hello.get(1..3).unwrap_or(&[3, 1]).to_vec();
        records(&message, &version)
    }

    /// Whether the answer says TLS 1.3 (by its supported_versions extension).
    #[must_use]
    pub fn is_tls13(&self) -> bool {
        self.server_hello.windows(6).any(|window| window == [0x00, 0x2b, 0x00, 0x02, 0x03, 0x04])
    }
}

/// The handshake message that stands in TLS records.
fn handshake_message(mut records: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(records.len());
    while let Some((head, rest)) = records.split_at_checked(5) {
        let length = head.get(3..5).map_or(0, |bytes| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)));
        let (body, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        message.extend_from_slice(body);
        records = rest;
    }
    message
}

/// One record, or several where the message is longer than a record may be.
fn records(message: &[u8], version: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len().saturating_add(5));
    for part in message.chunks(16_384) {
        out.push(22);
        out.extend_from_slice(version);
        out.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// New random bytes, and a new session id of the same length.
fn refresh(message: &mut [u8], random: &mut Stream) {
    let id_bytes = message.get(38).map_or(0, |length| usize::from(*length));
    let mut fill = |from: usize, to: usize| {
        if let Some(place) = message.get_mut(from..to) {
            place.iter_mut().for_each(|byte| *byte = random.bits().to_le_bytes()[0]);
        }
    };
    fill(6, 38);
    fill(39, id_bytes.saturating_add(39));
}

/// The message with another host name in its server_name extension; `None` where it has none or is not as RFC 8446 says.
fn rename(message: &[u8], server_name: &str) -> Option<Vec<u8>> {
    let u16_at = |at: usize| Some(usize::from(u16::from_be_bytes(message.get(at..at.checked_add(2)?)?.try_into().ok()?)));
    let mut at = 38;
    at += 1 + usize::from(*message.get(at)?);
    at += 2 + u16_at(at)?;
    at += 1 + usize::from(*message.get(at)?);
    let extensions_at = at;
    at += 2;
    while at < message.len() {
        let (kind, length) = (u16_at(at)?, u16_at(at.checked_add(2)?)?);
        let end = at.checked_add(4)?.checked_add(length)?;
        if kind == 0 {
            let name = server_name.as_bytes();
            let size = |extra: usize| u16::try_from(name.len().checked_add(extra)?).ok().map(u16::to_be_bytes);
            let mut out = Vec::with_capacity(message.len().saturating_add(name.len()));
            out.extend_from_slice(message.get(..at.checked_add(2)?)?);
            out.extend_from_slice(&size(5)?);
            out.extend_from_slice(&size(3)?);
            out.push(0);
            out.extend_from_slice(&size(0)?);
            out.extend_from_slice(name);
            out.extend_from_slice(message.get(end..)?);
            let body = u32::try_from(out.len().checked_sub(4)?).ok()?.to_be_bytes();
            out.get_mut(1..4)?.copy_from_slice(body.get(1..)?);
            let all = u16::try_from(out.len().checked_sub(extensions_at.checked_add(2)?)?).ok()?.to_be_bytes();
            out.get_mut(extensions_at..extensions_at.checked_add(2)?)?.copy_from_slice(&all);
            return Some(out);
        }
        at = end;
    }
    None
}

fn hex_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect::<Option<_>>().ok_or_else(|| serde::de::Error::custom("no hexadecimal bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_usable_and_a_renamed_hello_stays_whole() {
        let templates = Templates::embedded().unwrap();
        assert!(templates.all().count() > 50, "{}", templates.names());
        for client in templates.all() {
            for handshake in &client.handshake {
                let hello = handshake.hello_for("a-much-longer-name.example.org", &mut Stream::new(1, &[]));
                let message = handshake_message(&hello);
                let said = message[1..4].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                assert_eq!(said + 4, message.len(), "{}", client.name);
                assert_eq!(message.len() + 5, hello.len(), "{}", client.name);
            }
        }
    }
}
