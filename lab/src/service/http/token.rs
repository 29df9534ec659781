//! The bearer token: read from a file or the environment, compared in constant time, never printed.
//!
//! Promises: a comparison takes the same time whatever was given, because digests of equal length are compared as a whole; the
//! token itself is not kept.
//!
//! Read next: `mod.rs`.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::LabError;

/// Characters a token must have at least.
pub const SHORTEST: usize = 16;
/// Variable that may hold it.
pub const VARIABLE: &str = "JA4_API_TOKEN";

/// The digest of a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// From a text such as a file's content; blanks at its ends do not count.
    ///
    /// # Errors
    /// Too short, or with characters that no header can carry.
    pub fn new(text: &str, from: &str) -> Result<Self, LabError> {
        let text = text.trim();
        if text.len() < SHORTEST {
            return Err(LabError::Ask(format!(
                "token of {from}: it has {} characters; at least {SHORTEST} are needed",
                text.len()
            )));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(LabError::Ask(format!("token of {from}: it must consist of visible ASCII characters")));
        }
        Ok(Self(Sha256::digest(text).into()))
    }

    /// From a file.
    ///
    /// # Errors
    /// It cannot be read, or holds no token.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(LabError::io("read the token of", path))?;
        Self::new(&text, &path.display().to_string())
    }

    /// Whether `given` is it.
    #[must_use]
    pub fn matches(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        let different = self.0.iter().zip(given).fold(0_u8, |different, (mine, theirs)| different | (mine ^ theirs));
        std::hint::black_box(different) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn tokens() {
        let token = Token::new("  0123456789abcdef\n", "test").unwrap();
        assert!(token.matches("0123456789abcdef"));
        for wrong in ["", "0123456789abcdeF", "0123456789abcdef0", " 0123456789abcdef"] {
            assert!(!token.matches(wrong), "{wrong}");
        }
        assert!(Token::new("short", "test").is_err() && Token::new("with a blank inside", "test").is_err());
        assert!(!format!("{token:?}").contains("0123"));
    }
}
