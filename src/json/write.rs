//! From tree to compact text, and how long that is.

use std::fmt;
use std::io::{self, Write};

use super::Json;

pub(super) fn to_vec(value: &Json) -> Vec<u8> {
    let mut text = Vec::new();
    write(value, &mut text).expect("a vector takes all");
    text
}

impl Json {
    /// How long the compact text is, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut counter = Counter(0);
        write(self, &mut counter).expect("a counter takes all");
        counter.0
    }
}

/// How long a string is in JSON, with quotes and escapes, in bytes.
pub(crate) fn string_len(text: &str) -> usize {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, text).expect("a counter takes all");
    counter.0
}

fn write(value: &Json, to: &mut impl Write) -> io::Result<()> {
    match value {
        Json::Null => to.write_all(b"null"),
        Json::Bool(true) => to.write_all(b"true"),
        Json::Bool(false) => to.write_all(b"false"),
        Json::Number(number) => to.write_all(number.as_str().as_bytes()),
        Json::String(text) => Ok(serde_json::to_writer(to, text)?),
        Json::Array(elements) => {
            let mut separator: &[u8] = b"[";
            for element in elements {
                to.write_all(separator)?;
                write(element, to)?;
                separator = b",";
            }
            to.write_all(if elements.is_empty() { b"[]" } else { b"]" })
        }
        Json::Object(members) => {
            let mut separator: &[u8] = b"{";
            for (name, value) in members.iter() {
                to.write_all(separator)?;
                serde_json::to_writer(&mut *to, name)?;
                to.write_all(b":")?;
                write(value, to)?;
                separator = b",";
            }
            to.write_all(if members.is_empty() { b"{}" } else { b"}" })
        }
    }
}

/// The compact text.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8(self.to_vec()).expect("JSON is UTF-8"))
    }
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
