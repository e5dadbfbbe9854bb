//! The tree.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{InvalidJson, JsonPointer, Number, Object};

/// A JSON value (RFC 8259) that keeps the text of its numbers and the order of its members.
///
/// Two values are equal if they mean the same: objects regardless of the order of members, numbers by their decimal
/// value. With serde it is read from and written to JSON text of `serde_json` only.
///
/// ```
/// use ifmatch::json::Json;
///
/// let price = Json::from_slice(br#"{"price": 1.50, "id": 12345678901234567890123}"#)?;
/// assert_eq!(price.to_string(), r#"{"price":1.50,"id":12345678901234567890123}"#);
/// assert_eq!(price, Json::from_slice(br#"{"id": 12345678901234567890123, "price": 15e-1}"#)?);
/// # Ok::<(), ifmatch::json::InvalidJson>(())
/// ```
#[derive(Clone, Debug)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Object),
}

impl Json {
    /// Reads a document: one value in UTF-8, of any size, nested at most [`MAX_DEPTH`](super::MAX_DEPTH) deep.
    ///
    /// Of members with the same name the last counts, at the place of the first.
    ///
    /// # Errors
    /// [`InvalidJson`] says where and why it is not JSON, or that it is nested too deep.
    pub fn from_slice(text: &[u8]) -> Result<Self, InvalidJson> {
        super::read::read(text)
    }

    /// The document as compact text.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        super::write::to_vec(self)
    }

    /// What any serde type is in JSON.
    ///
    /// # Errors
    /// [`InvalidJson`] if the type refuses, is not JSON (a map whose keys are no strings), or is nested too deep.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, InvalidJson> {
        Self::from_slice(&serde_json::to_vec(value).map_err(InvalidJson::Mismatch)?)
    }

    /// The document as a serde type, as `serde_json` reads it from text.
    ///
    /// # Errors
    /// [`InvalidJson::Mismatch`] if the document does not have the shape of the type.
    pub fn to_value<T: DeserializeOwned>(&self) -> Result<T, InvalidJson> {
        serde_json::from_slice(&self.to_vec()).map_err(InvalidJson::Mismatch)
    }

    /// The member `name`, if this is an object and has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// What the pointer points to, if it is there.
    #[must_use]
    pub fn at(&self, pointer: &JsonPointer) -> Option<&Self> {
        pointer.tokens().try_fold(self, |value, token| match value {
            Self::Array(elements) => elements.get(super::index(token)?),
            Self::Object(members) => members.get(token),
            _ => None,
        })
    }

    /// The text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The members, if it is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// How deep arrays and objects are nested in it: 0 for `1`, 2 for `[[]]`.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(elements) => 1 + elements.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => {
                1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

impl std::str::FromStr for Json {
    type Err = InvalidJson;

    fn from_str(text: &str) -> Result<Self, InvalidJson> {
        Self::from_slice(text.as_bytes())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_string();
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        text.get().parse().map_err(serde::de::Error::custom)
    }
}
