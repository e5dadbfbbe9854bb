//! What a client would like to get (RFC 7240).

use axum::http::{HeaderMap, HeaderName, HeaderValue};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Whether `Prefer: return=representation` is the first that says what to return. A preference that is not known, or not
/// understood, is ignored, as the RFC demands.
pub(super) fn wants_representation(headers: &HeaderMap) -> bool {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|preference| preference.split(';').next()?.split_once('='))
        .find(|(name, _)| name.trim_ascii().eq_ignore_ascii_case("return"))
        .is_some_and(|(_, value)| {
            let value = value.trim_ascii();
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            unquoted.unwrap_or(value).eq_ignore_ascii_case("representation")
        })
}

/// Says that the preference was met.
pub(super) fn applied() -> (HeaderName, HeaderValue) {
    (APPLIED, HeaderValue::from_static("return=representation"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_preference_of_what_to_return_counts_and_others_are_ignored() {
        let cases: [(&[&str], bool); 9] = [
            (&[], false),
            (&["return=representation"], true),
            (&["Return = Representation; x=y"], true),
            (&["return=\"representation\""], true),
            (&["respond-async, wait=10", "return=representation"], true),
            (&["return=minimal, return=representation"], false),
            (&["return"], false),
            (&["return=everything"], false),
            (&["=,;,return=representation"], true),
        ];
        for (lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(PREFER, line.parse().unwrap());
            }
            assert_eq!(wants_representation(&headers), expected, "{lines:?}");
        }
    }
}
