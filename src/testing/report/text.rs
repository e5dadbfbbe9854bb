//! A violation in a terminal of 100 columns.

use std::fmt::Write;

use super::layout::{Bar, LONG, Layout, cut};

const COLUMNS: usize = 100;

/// How many calls are drawn.
pub(in crate::testing) const MAX_CALLS: usize = 20;

pub(in crate::testing) fn text(layout: &Layout<'_>) -> String {
    let mut out = layout.head();
    out.push('\n');
    layout.from().iter().for_each(|from| line(&mut out, from));
    out.push('\n');
    let digits = layout.bars.iter().map(|bar| bar.number.to_string().len()).max().unwrap_or(1);
    let client = layout.bars.iter().map(|bar| bar.client.to_string().len()).max().unwrap_or(1);
    let step = if layout.moments <= 12 { 3 } else { 1 };
    let mut in_full = Vec::new();
    for bar in &layout.bars {
        let mark = if bar.is_blocked { '!' } else { ' ' };
        let begin = format!(
            "{mark} {:>digits$}  client {:<client$}  {}  ",
            bar.number,
            bar.client,
            drawn(bar, layout.moments, step)
        );
        let room = COLUMNS - begin.chars().count().min(COLUMNS - 20);
        // Names and values may have line breaks in them.
        let label = bar.label.replace(['\n', '\r'], " ");
        let short = cut(&label, room);
        if short != label {
            in_full.push(format!("{}: {}", bar.number, cut(&label, LONG)));
        }
        line(&mut out, &format!("{begin}{short}"));
    }
    if !in_full.is_empty() {
        out.push_str("\nIn full:\n");
        in_full.iter().for_each(|label| line(&mut out, label));
    }
    out.push('\n');
    line(&mut out, &layout.found());
    layout.reasons().iter().for_each(|reason| line(&mut out, &format!("! {reason}")));
    out
}

/// `├──┤` between its moments; `├──┄` if it has no end.
fn drawn(bar: &Bar, moments: usize, step: usize) -> String {
    let width = moments.saturating_sub(1) * step + 2;
    let begin = bar.begin * step;
    let end = bar.end.map(|end| end * step);
    let column = |column: usize| match end {
        _ if column < begin => ' ',
        Some(end) if begin == end && column == begin => '│',
        _ if column == begin => '├',
        Some(end) if column < end => '─',
        Some(end) if column == end => '┤',
        Some(_) => ' ',
        None if column + 2 < width => '─',
        None => '┄',
    };
    (0..width).map(column).collect()
}

fn line(out: &mut String, text: &str) {
    let _cannot_fail = writeln!(out, "{}", text.trim_end());
}
