//! How keys and values become bytes in the log.
//!
//! The log's own framing does not depend on the codec: it names the codec in each segment's header and
//! otherwise sees opaque bytes.

#[cfg(feature = "log")]
use serde::{Serialize, de::DeserializeOwned};

#[cfg(feature = "log")]
/// Encodes keys and values for the log.
///
/// The name is written into the log, and a log written with one codec is refused by another. Change the
/// name whenever the encoding changes.
pub trait Codec: Send + Sync + 'static {
    /// At most 16 bytes of ASCII: with more, what opens a log with it does not compile.
    const NAME: &'static str;

    /// Appends the encoding of `value` to `out`.
    ///
    /// # Errors
    /// If `value` cannot be encoded; `out` may then end in a part of it.
    fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Decodes a value from exactly `bytes`.
    ///
    /// # Errors
    /// If `bytes` are not the whole encoding of a `T`, or, in bincode, claim more than [`DECODE_LIMIT`].
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError>;
}

#[cfg(feature = "log")]
/// The most encoded bytes that bincode reads of one key or value, and of the length of what it contains: 256 MiB. In memory
/// that may be more, as a type's values are larger than what they are encoded as. postcard has no such limit.
pub const DECODE_LIMIT: usize = 256 << 20;

/// A key or value could not be encoded or decoded.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{codec}: {message}")]
pub struct CodecError {
    codec: &'static str,
    message: String,
}

impl CodecError {
    /// An error of the codec called `codec`.
    #[must_use]
    pub fn new(codec: &'static str, message: impl Into<String>) -> Self {
        Self { codec, message: message.into() }
    }

    /// The error, which is about `what`.
    #[cfg(feature = "backend")]
    pub(crate) fn about(self, what: impl std::fmt::Display) -> Self {
        Self { message: format!("{} ({what})", self.message), ..self }
    }
}

/// [bincode](https://docs.rs/bincode/2) 2 with its standard configuration: the default.
///
/// Like every compact codec it stores no field names: a type that changes shape cannot read its old log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bincode;

#[cfg(feature = "log")]
const BINCODE: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<DECODE_LIMIT>,
> = bincode::config::standard().with_limit::<DECODE_LIMIT>();

#[cfg(feature = "log")]
impl Codec for Bincode {
    const NAME: &'static str = "bincode-2";

    fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        bincode::serde::encode_into_std_write(value, out, BINCODE)
            .map(|_written| ())
            .map_err(|error| CodecError::new(Self::NAME, error.to_string()))
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        match bincode::serde::decode_from_slice(bytes, BINCODE) {
            Ok((value, used)) if used == bytes.len() => Ok(value),
            Ok(_) => Err(CodecError::new(Self::NAME, "bytes are left over")),
            Err(error) => Err(CodecError::new(Self::NAME, error.to_string())),
        }
    }
}

/// [postcard](https://docs.rs/postcard/1): a published wire format, and a maintained crate.
#[cfg(feature = "postcard")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

#[cfg(feature = "postcard")]
impl Codec for Postcard {
    const NAME: &'static str = "postcard-1";

    fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        postcard::to_io(value, out)
            .map(|_out| ())
            .map_err(|error| CodecError::new(Self::NAME, error.to_string()))
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err(CodecError::new(Self::NAME, "bytes are left over")),
            Err(error) => Err(CodecError::new(Self::NAME, error.to_string())),
        }
    }
}

#[cfg(all(test, feature = "log"))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn round_trip<C: Codec>() {
        let value = (String::from("key"), vec![1_u8, 2, 3], Some(7_u64));
        let mut bytes = Vec::new();
        C::encode(&value, &mut bytes).unwrap();
        assert_eq!(C::decode::<(String, Vec<u8>, Option<u64>)>(&bytes).unwrap(), value);
        bytes.push(0);
        assert!(C::decode::<(String, Vec<u8>, Option<u64>)>(&bytes).is_err(), "left-over byte");
        bytes.truncate(bytes.len() - 2);
        assert!(C::decode::<(String, Vec<u8>, Option<u64>)>(&bytes).is_err(), "cut short");
        assert!(C::NAME.len() <= 16 && C::NAME.is_ascii());
    }

    #[test]
    fn bincode_round_trips_and_refuses_left_over_and_missing_bytes() {
        round_trip::<Bincode>();
    }

    #[cfg(feature = "postcard")]
    #[test]
    fn postcard_round_trips_and_refuses_left_over_and_missing_bytes() {
        round_trip::<Postcard>();
    }

    #[test]
    fn a_hostile_length_is_refused_before_anything_is_allocated() {
        // bincode's varint: 253 announces eight bytes of length.
        let bytes = [253, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3];
        assert!(Bincode::decode::<Vec<u8>>(&bytes).is_err());
        assert!(Bincode::decode::<String>(&bytes).is_err());
    }
}
