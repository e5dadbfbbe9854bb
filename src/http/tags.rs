//! The lists of entity tags in `If-Match` and `If-None-Match` (RFC 9110 8.8.3, 13.1.1, 13.1.2).
//!
//! The parser is strict: a condition that was not understood must not let a write pass, and must not fail it as if the
//! race were lost. What is well-formed but no tag of ours is kept, and matches nothing.

use axum::http::{HeaderMap, HeaderName};

use super::etag::ETag;

/// The most tags that one header may list.
pub(super) const MAX_TAGS: usize = 100;

/// What one of the two headers says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`: whatever there is.
    Any,
    /// One tag or more.
    List(Vec<Tag>),
}

/// A well-formed tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    weak: bool,
    /// `None` if it is not of the form of ours, so that it never matches.
    etag: Option<ETag>,
}

/// What is wrong with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadTags {
    #[error("it names no entity tag")]
    Empty,
    #[error("\"*\" stands alone")]
    StarInList,
    #[error("an entity tag is a text in double quotes, or W/ and one")]
    NotATag,
    #[error("an entity tag has no closing quote, or a character that it must not have")]
    Unclosed,
    #[error("entity tags are separated by commas")]
    NoComma,
    #[error("it names more than {MAX_TAGS} entity tags")]
    TooMany,
}

impl Tags {
    /// Reads all lines of the header `name`; `None` if there is none.
    pub(super) fn of(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, BadTags> {
        let mut lines = headers.get_all(name).iter().peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let (mut star, mut list) = (false, Vec::new());
        for line in lines {
            read_line(line.as_bytes(), &mut star, &mut list)?;
        }
        match (star, list.is_empty()) {
            (true, true) => Ok(Some(Self::Any)),
            (true, false) => Err(BadTags::StarInList),
            (false, true) => Err(BadTags::Empty),
            (false, false) => Ok(Some(Self::List(list))),
        }
    }

    /// The tags of the form of ours that are strong.
    pub(super) fn strong(&self) -> impl Iterator<Item = ETag> {
        self.list().iter().filter(|tag| !tag.weak).filter_map(|tag| tag.etag)
    }

    /// The tags of the form of ours, weak ones included.
    pub(super) fn weak(&self) -> impl Iterator<Item = ETag> {
        self.list().iter().filter_map(|tag| tag.etag)
    }

    fn list(&self) -> &[Tag] {
        match self {
            Self::Any => &[],
            Self::List(list) => list,
        }
    }

    /// Whether a weak tag is among them, which no strong comparison matches.
    pub(super) fn has_weak(&self) -> bool {
        matches!(self, Self::List(list) if list.iter().any(|tag| tag.weak))
    }
}

/// Reads one line: elements and commas, and as many empty elements as somebody likes (RFC 9110 5.6.1.2).
fn read_line(line: &[u8], star: &mut bool, list: &mut Vec<Tag>) -> Result<(), BadTags> {
    let mut rest = line.trim_ascii();
    while let Some(first) = rest.first() {
        if *first == b',' {
            rest = rest[1..].trim_ascii_start();
            continue;
        }
        rest = if *first == b'*' {
            if std::mem::replace(star, true) {
                return Err(BadTags::StarInList);
            }
            &rest[1..]
        } else {
            let (tag, rest) = read_tag(rest)?;
            if list.len() == MAX_TAGS {
                return Err(BadTags::TooMany);
            }
            list.push(tag);
            rest
        };
        rest = rest.trim_ascii_start();
        if !matches!(rest.first(), None | Some(b',')) {
            return Err(BadTags::NoComma);
        }
    }
    Ok(())
}

/// Reads one tag, and returns it with what follows.
fn read_tag(text: &[u8]) -> Result<(Tag, &[u8]), BadTags> {
    let (weak, text) = text.strip_prefix(b"W/").map_or((false, text), |text| (true, text));
    let text = text.strip_prefix(b"\"").ok_or(BadTags::NotATag)?;
    let end = text.iter().position(|byte| !is_tag_character(*byte)).ok_or(BadTags::Unclosed)?;
    let (opaque, rest) = text.split_at(end);
    let rest = rest.strip_prefix(b"\"").ok_or(BadTags::Unclosed)?;
    Ok((Tag { weak, etag: ETag::from_opaque(opaque) }, rest))
}

/// `etagc`: anything but controls, space and the quote.
fn is_tag_character(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..=0xff)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    type Read = Result<Option<Tags>, BadTags>;

    fn read(lines: &[&[u8]]) -> Read {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_bytes(line).unwrap());
        }
        Tags::of(&headers, &header::IF_MATCH)
    }

    /// The list that has these tags, each with whether it is weak.
    fn list(tags: &[(bool, &str)]) -> Read {
        let tag = |(weak, opaque): &(bool, &str)| Tag {
            weak: *weak,
            etag: ETag::from_opaque(opaque.as_bytes()),
        };
        Ok(Some(Tags::List(tags.iter().map(tag).collect())))
    }

    const OURS: &str = "7-0123456789ab";

    #[test]
    fn whatever_the_grammar_allows_is_read() {
        let ours = format!("\"{OURS}\"");
        let weak = format!("W/{ours}");
        let cases: [(&str, &[&[u8]], Read); 12] = [
            ("no header", &[], Ok(None)),
            ("star", &[b"*"], Ok(Some(Tags::Any))),
            ("star in space and commas", &[b" , *\t,"], Ok(Some(Tags::Any))),
            ("ours", &[ours.as_bytes()], list(&[(false, OURS)])),
            ("ours, weak", &[weak.as_bytes()], list(&[(true, OURS)])),
            ("foreign", &[b"\"x\""], list(&[(false, "")])),
            ("empty tag", &[b"\"\""], list(&[(false, "")])),
            ("comma in the tag", &[b"\"a,b\",W/\",\""], list(&[(false, ""), (true, "")])),
            ("backslash is no escape", &[b"\"a\\\""], list(&[(false, "")])),
            ("bytes above ASCII", &[b"\"\xe9\xff\""], list(&[(false, "")])),
            ("empty elements", &[b",, \"a\" , ,\"b\",\t"], list(&[(false, ""), (false, "")])),
            (
                "two lines",
                &[ours.as_bytes(), b"\"b\", W/\"c\""],
                list(&[(false, OURS), (false, ""), (true, "")]),
            ),
        ];
        for (name, lines, expected) in cases {
            assert_eq!(read(lines), expected, "{name}");
        }
    }

    #[test]
    fn whatever_the_grammar_does_not_allow_is_refused() {
        let cases: [(&[&[u8]], BadTags); 19] = [
            (&[b""], BadTags::Empty),
            (&[b" , ,"], BadTags::Empty),
            (&[b"", b""], BadTags::Empty),
            (&[b"*", b"*"], BadTags::StarInList),
            (&[b"*, \"a\""], BadTags::StarInList),
            (&[b"\"a\"", b"*"], BadTags::StarInList),
            (&[b"**"], BadTags::NoComma),
            (&[b"7"], BadTags::NotATag),
            (&[b"a"], BadTags::NotATag),
            (&[b"'a'"], BadTags::NotATag),
            (&[b"w/\"a\""], BadTags::NotATag),
            (&[b"W\"a\""], BadTags::NotATag),
            (&[b"W/ \"a\""], BadTags::NotATag),
            (&[b"\""], BadTags::Unclosed),
            (&[b"\"a"], BadTags::Unclosed),
            (&[b"\"a b\""], BadTags::Unclosed),
            (&[b"\"a\" \"b\""], BadTags::NoComma),
            (&[b"\"a\"b"], BadTags::NoComma),
            (&[b"\"a\";\"b\""], BadTags::NoComma),
        ];
        for (lines, expected) in cases {
            let text = String::from_utf8_lossy(&lines.join(&b'\n')).into_owned();
            assert_eq!(read(lines), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_number_of_tags_is_bounded_over_all_lines() {
        let half = ["\"a\""; MAX_TAGS / 2].join(",");
        assert!(read(&[half.as_bytes(), half.as_bytes()]).is_ok());
        assert_eq!(read(&[half.as_bytes(), half.as_bytes(), b"\"a\""]), Err(BadTags::TooMany));
    }
}
