//! What a client reads and writes: any serde type as JSON, or a document as it is.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entry::{Document, Entry};
use super::error::DecodeError;

/// A type that can be read: all that serde reads from JSON, and [`Document`], which takes any content.
pub trait ReadValue: Sized {
    /// Reads the value of an entry.
    ///
    /// # Errors
    /// [`DecodeError`] if the document is not JSON, or not that of the type.
    fn read(entry: Entry<Document>) -> Result<Entry<Self>, DecodeError>;
}

impl<T: DeserializeOwned> ReadValue for T {
    fn read(entry: Entry<Document>) -> Result<Entry<Self>, DecodeError> {
        entry.decode()
    }
}

impl ReadValue for Document {
    fn read(entry: Entry<Document>) -> Result<Entry<Self>, DecodeError> {
        Ok(entry)
    }
}

/// A type that can be written: all that serde writes as JSON, and [`Document`], with any content.
pub trait WriteValue {
    /// The document that is stored.
    ///
    /// # Errors
    /// [`DecodeError`] if serde cannot write the value as JSON.
    fn write(&self) -> Result<Document, DecodeError>;
}

impl<T: Serialize + ?Sized> WriteValue for T {
    fn write(&self) -> Result<Document, DecodeError> {
        Ok(Document::json(serde_json::to_vec(self).map_err(DecodeError::unencodable)?))
    }
}

impl WriteValue for Document {
    fn write(&self) -> Result<Document, DecodeError> {
        Ok(self.clone())
    }
}
