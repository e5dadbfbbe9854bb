//! A violation as a page: one file, no script.

use std::fmt::Write;

use super::layout::{Bar, LONG, Layout, cut};

/// How many calls are drawn.
pub(in crate::testing) const MAX_CALLS: usize = 200;

/// Lengths in pixels.
const PAGE: usize = 1160;
const LEFT: usize = 90;
const MOMENT: usize = 36;
const ROW: usize = 46;
const BAR: usize = 16;
/// More than any character of 12 pixels in a monospaced font takes.
const CHARACTER: usize = 8;
/// Characters of a label beside its bar.
const LABEL: usize = 70;

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--faint:#68707a;--lane:#f3f5f7;--call:#3b78c3;--bad:#c2410c}\
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--faint:#98a1ab;--lane:#1d2228;--call:#7fb0ee;--bad:#ff9a62}}\
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}\
h1{font-size:1.3rem}.scroll{overflow-x:auto}.end{direction:rtl}svg{display:block;direction:ltr;margin-right:auto}li,p{overflow-wrap:anywhere}code,svg text{font-family:ui-monospace,monospace}\
svg text{font-size:12px;fill:var(--ink)}.lane{fill:var(--lane)}.client{fill:var(--faint)!important}\
.call{fill:var(--call)}.bad{fill:url(#hatch);stroke:var(--bad);stroke-width:2}.open{fill:url(#fade)}\
.number{font-weight:700}.why{fill:var(--bad)!important;font-weight:700}";

pub(in crate::testing) fn html(layout: &Layout<'_>) -> String {
    let head = escaped(&layout.head());
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>No order explains these calls</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{head}</h1>\n"
    );
    let mut put = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    layout.from().iter().for_each(|from| put(format!("<p>{}</p>", escaped(from))));
    put(timeline(layout));
    put(format!("<p>{}</p>\n<ul>", escaped(&layout.found())));
    layout.reasons().iter().for_each(|reason| put(format!("<li>{}</li>", escaped(reason))));
    put("</ul>\n<h2>The calls</h2>\n<ol>".to_owned());
    for bar in &layout.bars {
        put(format!("<li value=\"{}\">{}</li>", bar.number, details(bar)));
    }
    put("</ol>\n</body>\n</html>".to_owned());
    page
}

fn timeline(layout: &Layout<'_>) -> String {
    let lanes = lanes(layout);
    let rows: usize = lanes.iter().map(|lane| lane.rows.len()).sum();
    let axis = x(layout.moments);
    let texts = layout.bars.iter().map(|bar| x(bar.begin) + shown(bar).chars().count() * CHARACTER);
    let width = texts.max().unwrap_or(0).max(axis) + 24;
    // What does not fit is seen from its end, where it breaks off: who calls is said there, too.
    let is_wide = width > PAGE;
    let width = if is_wide { width + LEFT } else { width };
    let height = rows * ROW + lanes.len() * 8;
    let class = if is_wide { "scroll end" } else { "scroll" };
    let mut out = format!(
        "<div class=\"{class}\">\n<svg role=\"img\" aria-labelledby=\"title desc\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <title id=\"title\">Timeline of the calls</title>\n\
         <desc id=\"desc\">{}</desc>\n\
         <defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect width=\"2\" height=\"6\" fill=\"var(--bad)\"/></pattern>\
         <linearGradient id=\"fade\"><stop stop-color=\"var(--call)\"/><stop offset=\"1\" stop-color=\"var(--call)\" stop-opacity=\"0\"/></linearGradient></defs>\n",
        escaped(&layout.reasons().join(" "))
    );
    let mut top = 0;
    for lane in lanes {
        let lane_height = lane.rows.len() * ROW;
        let _cannot_fail = writeln!(
            out,
            "<rect class=\"lane\" y=\"{top}\" width=\"{width}\" height=\"{lane_height}\" rx=\"4\"/>\
             <text class=\"client\" x=\"8\" y=\"{}\">client {}</text>",
            top + ROW / 2 + 4,
            lane.client
        );
        if is_wide {
            let _cannot_fail = writeln!(
                out,
                "<text class=\"client\" x=\"{}\" y=\"{}\">client {}</text>",
                width - LEFT + 8,
                top + ROW / 2 + 4,
                lane.client
            );
        }
        for row in lane.rows {
            row.iter().for_each(|bar| out.push_str(&drawn(bar, top, axis)));
            top += ROW;
        }
        top += 8;
    }
    out + "</svg>\n</div>"
}

fn drawn(bar: &Bar, top: usize, axis: usize) -> String {
    let (left, y) = (x(bar.begin), top + 22);
    let end = bar.end.map_or(axis, x);
    let width = (end - left).max(6);
    let (shape, mark, radius) = match (bar.is_blocked, bar.end) {
        (true, _) => ("bad", "✗ ", 0),
        (false, Some(_)) => ("call", "", 8),
        (false, None) => ("open", "", 0),
    };
    let why = if bar.is_blocked { "why" } else { "number" };
    format!(
        "<g><title>{}</title><text x=\"{left}\" y=\"{}\"><tspan class=\"{why}\">{mark}{}</tspan> {}</text>\
         <rect class=\"{shape}\" x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"{BAR}\" rx=\"{radius}\"/></g>\n",
        details(bar),
        top + 15,
        bar.number,
        escaped(&cut(&bar.label, LABEL))
    )
}

/// One who calls; what overlaps, or has a label that would, is in another row.
struct Lane<'a> {
    client: u32,
    rows: Vec<Vec<&'a Bar>>,
}

fn lanes<'a>(layout: &'a Layout<'_>) -> Vec<Lane<'a>> {
    let mut lanes = std::collections::BTreeMap::<u32, Lane<'a>>::new();
    for bar in &layout.bars {
        let client = bar.client;
        let lane = lanes.entry(client).or_insert_with(|| Lane { client, rows: Vec::new() });
        let is_free = |row: &&mut Vec<&Bar>| {
            row.last().is_none_or(|last| right(last, layout) + CHARACTER < x(bar.begin))
        };
        match lane.rows.iter_mut().find(is_free) {
            Some(row) => row.push(bar),
            None => lane.rows.push(vec![bar]),
        }
    }
    lanes.into_values().collect()
}

/// Where the bar ends, or its label.
fn right(bar: &Bar, layout: &Layout<'_>) -> usize {
    let end = x(bar.end.unwrap_or(layout.moments));
    end.max(x(bar.begin) + shown(bar).chars().count() * CHARACTER)
}

fn shown(bar: &Bar) -> String {
    format!("✗ {} {}", bar.number, cut(&bar.label, LABEL))
}

fn x(moment: usize) -> usize {
    LEFT + moment * MOMENT
}

fn details(bar: &Bar) -> String {
    let Bar { client, stamps, .. } = bar;
    format!("{} (client {client}, {stamps})", escaped(&cut(&bar.label, LONG)))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}
