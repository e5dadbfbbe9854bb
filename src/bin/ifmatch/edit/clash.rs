//! What both changed differently, in the file, to be decided by whoever edits it.
//!
//! In JSON each clash is a comment before the document, by JSON pointer, with base, mine and theirs; the document has mine
//! there. A clash is decided when its comment is removed. Other text has both versions whole, as `git merge` writes them.

use ifmatch::json::Json;
use ifmatch::merge::{Choice, Clash, Merged};

use super::layout::Layout;
use super::pretty::pretty;

const COMMENT: &str = "//";
const MARK: &str = "// CLASH ";
const MINE: &str = "<<<<<<< mine";
const BASE: &str = "||||||| base";
const MIDDLE: &str = "=======";
const THEIRS: &str = ">>>>>>> theirs";

/// The file for a merge with clashes.
pub(super) fn of_json(merged: &Merged) -> String {
    let mut text = format!(
        "{COMMENT} Somebody else has changed the same as you. All else is merged; in these places the document has your\n\
         {COMMENT} value. Edit it as it is to be, and remove the lines of each clash that you have decided: as long as there\n\
         {COMMENT} is one, nothing is written.\n{COMMENT}\n"
    );
    for clash in merged.clashes() {
        let pointer = clash.pointer().to_string();
        let place = if pointer.is_empty() { "the whole document" } else { &pointer };
        text.push_str(&format!("{MARK}{place}\n"));
        for (name, value) in sides(clash) {
            let value = value.map_or_else(|| "(nothing)".to_owned(), Json::to_string);
            text.push_str(&format!("{COMMENT}   {name} {value}\n"));
        }
    }
    let document = merged.clone().resolve(|_| Choice::Mine);
    text.push_str(&pretty(&document));
    text
}

fn sides(clash: &Clash) -> [(&'static str, Option<&Json>); 3] {
    [("base:  ", clash.base()), ("mine:  ", clash.mine()), ("theirs:", clash.theirs())]
}

/// The file for text, which is not merged.
pub(super) fn of_text(base: &[u8], mine: &[u8], theirs: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for (mark, part) in [(MINE, mine), (BASE, base), (MIDDLE, theirs)] {
        text.extend_from_slice(mark.as_bytes());
        text.push(b'\n');
        text.extend_from_slice(part);
        if !part.is_empty() && !part.ends_with(b"\n") {
            text.push(b'\n');
        }
    }
    text.extend_from_slice(THEIRS.as_bytes());
    text.push(b'\n');
    text
}

/// The text without our comments.
///
/// # Errors
/// Which clash is not decided.
pub(super) fn decided(layout: Layout, text: Vec<u8>) -> Result<Vec<u8>, String> {
    let lines = || text.split_inclusive(|byte| *byte == b'\n');
    if !layout.is_json() {
        let is_mark = |line: &[u8]| {
            [MINE, BASE, THEIRS].iter().any(|mark| line.trim_ascii_end() == mark.as_bytes())
        };
        return match lines().find(|line| is_mark(line)) {
            Some(mark) => {
                Err(format!("{:?} is still there", String::from_utf8_lossy(mark.trim_ascii_end())))
            }
            None => Ok(text),
        };
    }
    if let Some(mark) = lines().find_map(|line| line.trim_ascii().strip_prefix(MARK.as_bytes())) {
        return Err(format!("the clash at {} is not decided", String::from_utf8_lossy(mark)));
    }
    // No line inside of JSON begins so: a string has no line breaks.
    let is_comment = |line: &&[u8]| line.trim_ascii_start().starts_with(COMMENT.as_bytes());
    Ok(lines().filter(|line| !is_comment(line)).collect::<Vec<_>>().concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        text.parse().unwrap()
    }

    #[test]
    fn a_clash_is_open_as_long_as_its_comment_is_there() {
        let base = json(r#"{"a": "//", "b": 1.50}"#);
        let mine = json(r#"{"a": "// mine", "b": 1.50, "c": 1}"#);
        let merged = ifmatch::merge::merge(&base, &mine, &json(r#"{"a": "// theirs", "b": 2.50}"#));
        let text = of_json(&merged);
        assert!(
            text.contains("// CLASH /a\n//   base:   \"//\"\n//   mine:   \"// mine\"\n"),
            "{text}"
        );
        let open = decided(Layout::Compact, text.clone().into_bytes());
        assert_eq!(open, Err("the clash at /a is not decided".to_owned()));
        let closed = decided(Layout::Compact, text.replace("// CLASH", "//").into_bytes()).unwrap();
        assert_eq!(
            Json::from_slice(&closed).unwrap().to_string(),
            r#"{"a":"// mine","b":2.50,"c":1}"#
        );
    }

    #[test]
    fn text_with_marks_is_open() {
        let text = of_text(b"b", b"m\n", b"");
        assert_eq!(text, b"<<<<<<< mine\nm\n||||||| base\nb\n=======\n>>>>>>> theirs\n");
        assert!(decided(Layout::Text, text).is_err());
        assert_eq!(decided(Layout::Text, b"=======\nm\n".to_vec()), Ok(b"=======\nm\n".to_vec()));
    }
}
