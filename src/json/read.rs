//! From text to tree, in one pass over the text after `serde_json` has found it to be JSON.
//!
//! `serde_json`'s own readers give a number as an `f64`, or a whole subtree as text that has to be scanned again at each
//! level. So it only judges the syntax here, and reads the strings; what is left is to walk along text that is known to
//! be right.

use serde::de::IgnoredAny;

use super::{InvalidJson, Json, MAX_DEPTH, Number, Object};

pub(super) fn read(text: &[u8]) -> Result<Json, InvalidJson> {
    let text = std::str::from_utf8(text)
        .map_err(|error| InvalidJson::NotUtf8 { offset: error.valid_up_to() })?;
    serde_json::from_str::<IgnoredAny>(text).map_err(InvalidJson::Syntax)?;
    Reader { text, offset: 0, depth: 0 }.value()
}

/// A walk along text that is known to be JSON.
struct Reader<'a> {
    text: &'a str,
    /// Where it is, in bytes: always at a character's beginning.
    offset: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Json, InvalidJson> {
        match self.peek() {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string().map(Json::String),
            b't' => Ok(self.literal("true", Json::Bool(true))),
            b'f' => Ok(self.literal("false", Json::Bool(false))),
            b'n' => Ok(self.literal("null", Json::Null)),
            _ => Ok(Json::Number(self.number())),
        }
    }

    fn nested(
        &mut self,
        content: impl FnOnce(&mut Self) -> Result<Json, InvalidJson>,
    ) -> Result<Json, InvalidJson> {
        if self.depth == MAX_DEPTH {
            return Err(InvalidJson::TooDeep { max: MAX_DEPTH, offset: self.offset });
        }
        self.depth += 1;
        self.offset += 1;
        let value = content(self);
        self.offset += 1;
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Json, InvalidJson> {
        let mut members = Object::new();
        while self.peek() != b'}' {
            let name = self.string()?;
            self.pass(b':');
            members.insert(name, self.value()?);
            self.pass(b',');
        }
        Ok(Json::Object(members))
    }

    fn array(&mut self) -> Result<Json, InvalidJson> {
        let mut elements = Vec::new();
        while self.peek() != b']' {
            elements.push(self.value()?);
            self.pass(b',');
        }
        Ok(Json::Array(elements))
    }

    fn string(&mut self) -> Result<String, InvalidJson> {
        let start = self.offset;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        self.offset = end + 1;
        serde_json::from_str(&self.text[start..self.offset])
            .map_err(|source| InvalidJson::NotText { offset: start, source })
    }

    fn number(&mut self) -> Number {
        let rest = &self.text[self.offset..];
        let in_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(in_number).count();
        self.offset += length;
        Number::known(&rest[..length])
    }

    fn literal(&mut self, literal: &str, value: Json) -> Json {
        self.offset += literal.len();
        value
    }

    /// The next byte after white space, which is passed.
    fn peek(&mut self) -> u8 {
        let bytes = &self.text.as_bytes()[self.offset..];
        let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.offset += blank;
        bytes[blank]
    }

    fn pass(&mut self, separator: u8) {
        if self.peek() == separator {
            self.offset += 1;
        }
    }
}
