//! The table in `src/testing/conformance.md`, held to what is run. It is part of each binary that runs the suite.

use ifmatch::testing::conformance;
use ifmatch::{Backend, Capability};

const TABLE: &str = include_str!("../../src/testing/conformance.md");

const CAPABILITIES: [Capability; 6] = [
    Capability::History,
    Capability::Past,
    Capability::Watch,
    Capability::EmptyRange,
    Capability::UnchangedRange,
    Capability::AnyKey,
];

fn rows() -> Vec<Vec<&'static str>> {
    let lines = TABLE.lines().filter(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn row(name: &str) -> Vec<&'static str> {
    let mut found = rows().into_iter().filter(|row| row[0] == name);
    let row = found.next().unwrap_or_else(|| panic!("no row {name}"));
    assert!(found.next().is_none(), "{name} is there twice");
    row
}

/// The column is that of a backend which lacks what it says, and whose suite is made by `source`; a cell says "refused" only
/// where it lacks something.
pub(crate) fn is_true<B: Backend>(column: &str, backend: &B, source: (&str, &str)) {
    let header = row("case");
    let index = header.iter().position(|title| *title == column).expect("there is the column");
    let lacks = CAPABILITIES.iter().filter(|capability| !backend.supports(**capability));
    let lacks: Vec<String> = lacks.map(|capability| format!("`{capability:?}`")).collect();
    let said = row("lacks")[index];
    assert_eq!(said, if lacks.is_empty() { "nothing".to_owned() } else { lacks.join(", ") });

    let mut cases: Vec<String> = Vec::new();
    for row in rows() {
        let name = row[0].trim_matches('`');
        if ["case", "---", "lacks", "is run by"].contains(&name) {
            continue;
        }
        assert_eq!(row.len(), header.len(), "{name}");
        let (holds, refused) = (row[index] == "holds", row[index].starts_with("refused"));
        assert!(holds || refused, "{name}: {}", row[index]);
        let about = match name {
            "keys_of_all_bytes_are_kept_in_the_order_of_bytes" => Some(Capability::AnyKey),
            "a_history_is_in_order_and_whole_since_where_it_says" => Some(Capability::History),
            _ => None,
        };
        let is_lacking = about.is_some_and(|capability| !backend.supports(capability));
        assert_eq!(refused, is_lacking, "{name}");
        cases.push(name.to_owned());
    }
    assert_eq!(cases, conformance::names(), "every case has a row, in its order");

    // Nobody can leave out one case of the suite: the macro makes a test of each.
    let (path, text) = source;
    assert_eq!(row("is run by")[index], format!("`{path}`"));
    assert!(text.contains("backend_conformance!("), "{path} runs it");
}
