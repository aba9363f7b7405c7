//! The one place where replicated things become bytes and back: a version byte, then bincode with a hard limit (G10).
//!
//! bincode has no schema evolution: a type that is encoded here never changes shape. New needs get a new enum variant at
//! the end, or a new version byte with a decoder for the old one beside it.

use crate::limits::MAX_DECODE_BYTES;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Serialize, de::DeserializeOwned};

/// The version that this build writes before every entry, part and message.
pub const VERSION: u8 = 2;

/// Why bytes were not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CodecError {
    /// No bytes at all.
    #[error("nothing to decode")]
    Empty,
    /// Written by a build that is newer than this one, or not by Quorate.
    #[error("unknown format version {0}")]
    Version(u8),
    /// Right version, wrong content.
    #[error("malformed content: {0}")]
    Malformed(String),
    /// Something follows the value.
    #[error("{0} bytes after the end of the value")]
    Trailing(usize),
    /// The value cannot be written.
    #[error("cannot encode: {0}")]
    Encode(String),
}

impl From<CodecError> for std::io::Error {
    fn from(error: CodecError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

const fn config() -> Configuration<LittleEndian, Varint, Limit<MAX_DECODE_BYTES>> {
    bincode::config::standard().with_limit::<MAX_DECODE_BYTES>()
}

/// `value` as versioned bytes.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![VERSION];
    bincode::serde::encode_into_std_write(value, &mut bytes, config())
        .map_err(|e| CodecError::Encode(e.to_string()))?;
    Ok(bytes)
}

/// The value in `bytes`, all of them.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (&version, body) = bytes.split_first().ok_or(CodecError::Empty)?;
    if version != VERSION {
        return Err(CodecError::Version(version));
    }
    let (value, read) =
        bincode::serde::decode_from_slice(body, config()).map_err(|e| CodecError::Malformed(e.to_string()))?;
    match body.len() - read {
        0 => Ok(value),
        rest => Err(CodecError::Trailing(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_and_nothing_else_is_accepted() {
        let bytes = encode(&(7u32, "x")).expect("encodes");
        assert_eq!(decode::<(u32, String)>(&bytes), Ok((7, "x".into())));
        assert_eq!(decode::<u8>(&[]), Err(CodecError::Empty));
        assert_eq!(decode::<u8>(&[9, 0]), Err(CodecError::Version(9)));
        assert_eq!(decode::<u8>(&[VERSION, 1, 2]), Err(CodecError::Trailing(1)));
        assert!(matches!(decode::<String>(&[VERSION, 200, 1]), Err(CodecError::Malformed(_))));
    }

    #[test]
    fn a_hostile_length_is_an_error_and_not_an_allocation() {
        let mut bytes = vec![VERSION, 253]; // a 64-bit length follows
        bytes.extend(u64::MAX.to_le_bytes());
        assert!(matches!(decode::<Vec<u8>>(&bytes), Err(CodecError::Malformed(_))));
    }
}
