//! Query parameters, strictly: none that is unknown, none twice.
//!
//! A parameter that is silently ignored would lie: `?at=7` to a server that does not know it would get the newest.

use crate::revision::Revision;

use super::problem::{Problem, ProblemKind};
use crate::percent;

/// The first value of the parameter `name`.
///
/// # Errors
/// If it is there twice, or is not well-formed.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, Problem> {
    let mut found = None;
    for (given, value) in parameters(query) {
        if given? == name && found.replace(value?).is_some() {
            return Err(invalid(format!("the query parameter {name:?} is there twice")));
        }
    }
    Ok(found)
}

/// The revision in the parameter `name`.
///
/// # Errors
/// If it is there twice, or is no revision.
pub(super) fn revision(query: Option<&str>, name: &str) -> Result<Option<Revision>, Problem> {
    parameter(query, name)?
        .map(|text| text.parse().map_err(|error| invalid(format!("{name}: {error}"))))
        .transpose()
}

/// Refuses every parameter that is not among `known`.
pub(super) fn allow_only(query: Option<&str>, known: &[&str]) -> Result<(), Problem> {
    for (name, value) in parameters(query) {
        let name = name?;
        if !known.contains(&name.as_str()) {
            return Err(invalid(format!("there is no query parameter {name:?} here")));
        }
        value?;
    }
    Ok(())
}

type Decoded = Result<String, Problem>;

fn parameters(query: Option<&str>) -> impl Iterator<Item = (Decoded, Decoded)> {
    query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn decode(text: &str) -> Decoded {
    percent::decode(&text.replace('+', " "))
        .map_err(|_| invalid("the percent-encoding of the query is malformed".to_owned()))
}

pub(super) fn invalid(detail: String) -> Problem {
    Problem::new(ProblemKind::InvalidQuery, detail)
}
