//! Keys as bytes.

use std::sync::Arc;

use bytes::Bytes;

/// A key that is stored as bytes, in the same order: `a < b` exactly if the bytes of `a` come before those of `b`.
///
/// A range of keys is stored as one of bytes, so that a type for which that does not hold would lose entries.
pub trait ByteKey: Clone + Ord + Send + Sync + 'static {
    /// The bytes: others for every other key.
    fn to_bytes(&self) -> Bytes;

    /// The key of these bytes; `None` if it has none.
    fn from_bytes(bytes: Bytes) -> Option<Self>;
}

impl ByteKey for Bytes {
    fn to_bytes(&self) -> Bytes {
        self.clone()
    }

    fn from_bytes(bytes: Bytes) -> Option<Self> {
        Some(bytes)
    }
}

impl ByteKey for Vec<u8> {
    fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self)
    }

    fn from_bytes(bytes: Bytes) -> Option<Self> {
        Some(bytes.into())
    }
}

impl ByteKey for String {
    fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }

    fn from_bytes(bytes: Bytes) -> Option<Self> {
        Self::from_utf8(bytes.into()).ok()
    }
}

impl ByteKey for Arc<str> {
    fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }

    fn from_bytes(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).ok().map(Self::from)
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        /// Big-endian.
        impl ByteKey for $number {
            fn to_bytes(&self) -> Bytes {
                Bytes::copy_from_slice(&self.to_be_bytes())
            }

            fn from_bytes(bytes: Bytes) -> Option<Self> {
                Some(Self::from_be_bytes(bytes.as_ref().try_into().ok()?))
            }
        }
    )+};
}

numbers!(u8, u16, u32, u64, u128);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds<K: ByteKey + std::fmt::Debug>(one: K, other: K) -> Result<(), TestCaseError> {
        prop_assert_eq!(one.cmp(&other), one.to_bytes().cmp(&other.to_bytes()));
        prop_assert_eq!(K::from_bytes(one.to_bytes()), Some(one));
        Ok(())
    }

    proptest! {
        #[test]
        fn bytes_are_in_the_order_of_keys(
            numbers in any::<(u64, u64)>(),
            small in any::<(u8, u8)>(),
            texts in any::<(String, String)>(),
            bytes in any::<(Vec<u8>, Vec<u8>)>(),
        ) {
            holds(numbers.0, numbers.1)?;
            holds(small.0, small.1)?;
            holds::<Arc<str>>(texts.0.as_str().into(), texts.1.as_str().into())?;
            holds(texts.0, texts.1)?;
            holds(bytes.0, bytes.1)?;
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(String::from_bytes(Bytes::from_static(b"\xff")), None);
        assert_eq!(u64::from_bytes(Bytes::from_static(b"1234567")), None);
    }
}
