//! ClientHello and ServerHello as borrowed fields (RFC 8446 §4.1, RFC 5246 §7.4.1, RFC 6347 §4.2.1).
//!
//! Promises: zero-copy; lists keep wire order; a list that claims more bytes than there are is read as far as it goes, and an
//! extension that is cut off is left out (no specification covers truncated hellos). Nothing here hashes or formats.
//!
//! Read next: `fingerprint/` (turns these into JA3 and JA4).

use crate::bytes::Cursor;

/// Handshake type of a ClientHello.
pub const CLIENT_HELLO: u8 = 1;
/// Handshake type of a ServerHello.
pub const SERVER_HELLO: u8 = 2;
/// Handshake type of a Certificate.
pub const CERTIFICATE: u8 = 11;

/// server_name (RFC 6066 §3).
pub const EXT_SERVER_NAME: u16 = 0x0000;
/// supported_groups (RFC 8422 §5.1.1).
pub const EXT_GROUPS: u16 = 0x000a;
/// ec_point_formats (RFC 8422 §5.1.2).
pub const EXT_POINT_FORMATS: u16 = 0x000b;
/// signature_algorithms (RFC 8446 §4.2.3).
pub const EXT_SIGNATURE_ALGORITHMS: u16 = 0x000d;
/// application_layer_protocol_negotiation (RFC 7301).
pub const EXT_ALPN: u16 = 0x0010;
/// encrypt_then_mac (RFC 7366).
pub const EXT_ENCRYPT_THEN_MAC: u16 = 0x0016;
/// session_ticket (RFC 5077).
pub const EXT_SESSION_TICKET: u16 = 0x0023;
/// pre_shared_key (RFC 8446 §4.2.11).
pub const EXT_PRE_SHARED_KEY: u16 = 0x0029;
/// supported_versions (RFC 8446 §4.2.1).
pub const EXT_SUPPORTED_VERSIONS: u16 = 0x002b;
/// encrypted_client_hello.
pub const EXT_ECH: u16 = 0xfe0d;

/// Whether a value is one of the sixteen reserved by RFC 8701: `0x?a?a` with both bytes equal.
#[must_use]
pub const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// A list of 16-bit values as they lie on the wire; an odd last byte is not part of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct U16List<'a>(&'a [u8]);

impl<'a> U16List<'a> {
    /// Wraps the list's bytes (without its length field).
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Number of values.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len() / 2
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// All values, in wire order, GREASE included.
    pub fn iter(self) -> impl Iterator<Item = u16> + Clone + 'a {
        self.0.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
    }

    /// The values without GREASE, in wire order.
    pub fn without_grease(self) -> impl Iterator<Item = u16> + Clone + 'a {
        self.iter().filter(|value| !is_grease(*value))
    }
}

/// One extension.
#[derive(Debug, Clone, Copy)]
pub struct Extension<'a> {
    /// Its type.
    pub kind: u16,
    /// Its content.
    pub data: &'a [u8],
}

/// The extension block, in wire order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extensions<'a>(&'a [u8]);

impl<'a> Extensions<'a> {
    /// Wraps the block's bytes (without its length field).
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whole extensions in wire order; ends, for good, at the first that is cut off.
    pub fn iter(self) -> impl Iterator<Item = Extension<'a>> + Clone + 'a {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || {
            let kind = cursor.u16()?;
            let data = cursor.vec16();
            if data.is_none() {
                cursor = Cursor::new(&[]);
            }
            data.map(|data| Extension { kind, data })
        })
    }

    /// Their types, in wire order.
    pub fn kinds(self) -> impl Iterator<Item = u16> + Clone + 'a {
        self.iter().map(|extension| extension.kind)
    }

    /// Content of the first extension of this type.
    #[must_use]
    pub fn find(self, kind: u16) -> Option<&'a [u8]> {
        self.iter().find(|e| e.kind == kind).map(|e| e.data)
    }
}

/// Which protocol a hello came in; the first character of a JA4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloTransport {
    /// TLS over TCP: `t`.
    Tcp,
    /// QUIC: `q`.
    Quic,
    /// DTLS: `d`.
    Dtls,
}

impl HelloTransport {
    /// `t`, `q` or `d` (JA4.md).
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Tcp => b't',
            Self::Quic => b'q',
            Self::Dtls => b'd',
        }
    }
}

/// A ClientHello. Fields borrow from the message.
#[derive(Debug, Clone, Copy)]
pub struct ClientHello<'a> {
    /// The hello's own version field (never the record's).
    pub legacy_version: u16,
    /// client_random.
    pub random: &'a [u8; 32],
    /// Session id.
    pub session_id: &'a [u8],
    /// Cipher suites offered.
    pub cipher_suites: U16List<'a>,
    /// Extensions offered.
    pub extensions: Extensions<'a>,
    /// Bytes of the handshake message, header included.
    pub message_bytes: usize,
    known: Known<'a>,
}

/// What one pass over the extensions finds: content of the first of each type that is asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Known<'a> {
    without_grease: usize,
    server_name: Option<&'a [u8]>,
    groups: Option<&'a [u8]>,
    point_formats: Option<&'a [u8]>,
    signature_algorithms: Option<&'a [u8]>,
    alpn: Option<&'a [u8]>,
    session_ticket: Option<&'a [u8]>,
    pre_shared_key: Option<&'a [u8]>,
    supported_versions: Option<&'a [u8]>,
    ech: Option<&'a [u8]>,
}

impl<'a> Known<'a> {
    fn new(extensions: Extensions<'a>) -> Self {
        let mut known = Self::default();
        for Extension { kind, data } in extensions.iter() {
            known.without_grease = known.without_grease.saturating_add(usize::from(!is_grease(kind)));
            if let Some(place) = known.place(kind) {
                place.get_or_insert(data);
            }
        }
        known
    }

    fn place(&mut self, kind: u16) -> Option<&mut Option<&'a [u8]>> {
        Some(match kind {
            EXT_SERVER_NAME => &mut self.server_name,
            EXT_GROUPS => &mut self.groups,
            EXT_POINT_FORMATS => &mut self.point_formats,
            EXT_SIGNATURE_ALGORITHMS => &mut self.signature_algorithms,
            EXT_ALPN => &mut self.alpn,
            EXT_SESSION_TICKET => &mut self.session_ticket,
            EXT_PRE_SHARED_KEY => &mut self.pre_shared_key,
            EXT_SUPPORTED_VERSIONS => &mut self.supported_versions,
            EXT_ECH => &mut self.ech,
            _ => return None,
        })
    }
}

impl<'a> ClientHello<'a> {
    /// Reads a whole handshake message, its four-byte header (type 1, 24-bit length) included. The cookie of a DTLS hello is
    /// taken out before (`crate::dtls`).
    #[must_use]
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        if cursor.u8()? != CLIENT_HELLO {
            return None;
        }
        Self::parse_body(cursor.vec24()?)
    }

    /// Reads the body of a ClientHello message. `None` if it is not one: wrong version, over-long session id, no cipher list.
    #[must_use]
    pub fn parse_body(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let legacy_version = cursor.u16()?;
        // SSL 3 to TLS 1.3, its drafts, DTLS, and the DTLS of OpenSSL before 0.9.8f.
        if !matches!(legacy_version, 0x0300..=0x0304 | 0x7f00..=0x7fff | 0xfe00..=0xfeff | 0x0100) {
            return None;
        }
        let random = cursor.take(32)?.first_chunk()?;
        let session_id = cursor.vec8().filter(|id| id.len() <= 32)?;
        let cipher_bytes = usize::from(cursor.u16()?);
        let cipher_suites = U16List::new(cursor.take_up_to(cipher_bytes));
        let extensions = Self::extension_block(&mut cursor).unwrap_or_default();
        let (message_bytes, known) = (body.len().saturating_add(4), Known::new(extensions));
        Some(Self { legacy_version, random, session_id, cipher_suites, extensions, message_bytes, known })
    }

    /// Content of the first extension of this type.
    #[must_use]
    pub fn extension(&self, kind: u16) -> Option<&'a [u8]> {
        let mut known = self.known;
        match known.place(kind) {
            Some(found) => *found,
            None => self.extensions.find(kind),
        }
    }

    /// Number of extensions without GREASE.
    #[must_use]
    pub fn extension_count(&self) -> usize {
        self.known.without_grease
    }

    fn extension_block(cursor: &mut Cursor<'a>) -> Option<Extensions<'a>> {
        cursor.vec8()?;
        let length = usize::from(cursor.u16()?);
        Some(Extensions::new(cursor.take_up_to(length)))
    }

    /// First host_name of the server_name extension, as sent.
    #[must_use]
    pub fn server_name(&self) -> Option<&'a [u8]> {
        let mut names = Cursor::new(self.known.server_name?);
        let listed = usize::from(names.u16()?);
        let mut names = Cursor::new(names.take_up_to(listed));
        while let Some(kind) = names.u8() {
            let name = names.vec16()?;
            if kind == 0 {
                return Some(name).filter(|n| !n.is_empty());
            }
        }
        None
    }

    /// Protocols of the ALPN extension, in order, as sent (an empty one too).
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let list = self.known.alpn.and_then(|data| {
            let mut cursor = Cursor::new(data);
            let length = usize::from(cursor.u16()?);
            Some(cursor.take_up_to(length))
        });
        let mut cursor = Cursor::new(list.unwrap_or_default());
        std::iter::from_fn(move || cursor.vec8())
    }

    /// Versions of supported_versions, GREASE included; `None` without that extension.
    #[must_use]
    pub fn supported_versions(&self) -> Option<U16List<'a>> {
        let mut cursor = Cursor::new(self.known.supported_versions?);
        let length = usize::from(cursor.u8()?);
        Some(U16List::new(cursor.take_up_to(length)))
    }

    /// A list-of-u16 extension (groups, signature algorithms); empty if absent.
    #[must_use]
    pub fn u16_list(&self, kind: u16) -> U16List<'a> {
        let read = |data| {
            let mut cursor = Cursor::new(data);
            let length = usize::from(cursor.u16()?);
            Some(U16List::new(cursor.take_up_to(length)))
        };
        self.extension(kind).and_then(read).unwrap_or_default()
    }

    /// EC point formats; empty if absent.
    #[must_use]
    pub fn point_formats(&self) -> &'a [u8] {
        let read = |data| {
            let mut cursor = Cursor::new(data);
            let length = usize::from(cursor.u8()?);
            Some(cursor.take_up_to(length))
        };
        self.known.point_formats.and_then(read).unwrap_or_default()
    }

    /// The version JA4 prints: the numerically highest non-GREASE value of supported_versions, else the hello's own.
    #[must_use]
    pub fn highest_version(&self) -> u16 {
        self.supported_versions().and_then(|list| list.without_grease().max()).unwrap_or(self.legacy_version)
    }
}

/// A ServerHello (or HelloRetryRequest). Fields borrow from the message.
#[derive(Debug, Clone, Copy)]
pub struct ServerHello<'a> {
    /// The hello's own version field.
    pub legacy_version: u16,
    /// server_random.
    pub random: &'a [u8; 32],
    /// Cipher suite chosen.
    pub cipher_suite: u16,
    /// Extensions, in order.
    pub extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads a whole handshake message, its four-byte header (type 2, 24-bit length) included.
    #[must_use]
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        if cursor.u8()? != SERVER_HELLO {
            return None;
        }
        Self::parse_body(cursor.vec24()?)
    }

    /// Reads the body of a ServerHello message, of TLS, QUIC or DTLS.
    #[must_use]
    pub fn parse_body(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let legacy_version = cursor.u16()?;
        if !matches!(legacy_version >> 8, 0x03 | 0x7f | 0xfe | 0x01) {
            return None;
        }
        let random = cursor.take(32)?.first_chunk()?;
        // TLS 1.3 drafts up to 21 send neither session id nor compression.
        let early_draft = matches!(legacy_version, 0x7f00..=0x7f15);
        if !early_draft {
            cursor.vec8().filter(|id| id.len() <= 32)?;
        }
        let cipher_suite = cursor.u16()?;
        if !early_draft {
            cursor.u8()?;
        }
        let length = usize::from(cursor.u16().unwrap_or(0));
        let extensions = Extensions::new(cursor.take_up_to(length));
        Some(Self { legacy_version, random, cipher_suite, extensions })
    }

    /// The version chosen: supported_versions if present, else the hello's own.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.extensions.find(EXT_SUPPORTED_VERSIONS).and_then(|d| Cursor::new(d).u16()).unwrap_or(self.legacy_version)
    }

    /// The protocol chosen by ALPN, where it is readable (TLS ≤ 1.2).
    #[must_use]
    pub fn alpn(&self) -> Option<&'a [u8]> {
        let mut cursor = Cursor::new(self.extensions.find(EXT_ALPN)?);
        cursor.u16()?;
        cursor.vec8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grease_is_only_the_sixteen_reserved_values() {
        let all = (0..=u16::MAX).filter(|v| is_grease(*v)).collect::<Vec<_>>();
        assert_eq!(all.len(), 16);
        assert_eq!((all.first(), all.last()), (Some(&0x0a0a), Some(&0xfafa)));
        assert!(!is_grease(0x0a1a));
    }

    #[test]
    fn a_cipher_list_longer_than_the_message_is_read_as_far_as_it_goes() {
        let mut body = vec![3, 1];
        body.extend([7; 32]);
        body.extend([0, 0, 9, 0, 47, 0, 53, 1]);
        let hello = ClientHello::parse_body(&body).expect("a hello");
        assert_eq!(hello.cipher_suites.iter().collect::<Vec<_>>(), [47, 53]);
        assert_eq!(hello.extensions.iter().count(), 0);
    }

    #[test]
    fn extensions_end_for_good_where_one_is_cut_off() {
        let mut extensions = Extensions::new(&[0, 1, 0, 0, 0, 13, 0xff, 0xff, 0, 43, 0, 0]).kinds();
        assert_eq!([extensions.next(), extensions.next(), extensions.next()], [Some(1), None, None]);
    }

    #[test]
    fn early_drafts_of_tls13_have_no_session_id_in_the_server_hello() {
        let mut body = vec![0x7f, 0x12];
        body.extend([7; 32]);
        body.extend([0x13, 0x01, 0, 4, 0, 0x28, 0, 0]);
        let hello = ServerHello::parse_body(&body).expect("a hello");
        assert_eq!((hello.cipher_suite, hello.extensions.iter().count()), (0x1301, 1));
    }
}
