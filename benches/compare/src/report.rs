//! What came out, for people and programs.

use std::fmt::Write;

use serde_json::json;

use crate::circumstances::Circumstances;
use crate::engines::OURS;
use crate::growth::{self, Growth};
use crate::line::{Line, Target};
use crate::measure::Series;

/// All lines in Markdown: what is held to a goal, then all figures of all contenders, then where a peer is ahead.
#[must_use]
pub fn markdown(circumstances: &Circumstances, lines: &[Line], notes: &[String]) -> String {
    let mut text = circumstances.markdown();
    text += "\nMedians over rounds in which the contenders took turns, each in a process of its own; a ratio is taken within a \
             round, and shown as the median of the rounds', and least-most; the median says who is ahead, and whether a goal is reached. Keys of \
             16 B, values of 100 B that cannot be compressed. In memory one operation of 17 is timed, elsewhere each; a worst pause is \
             the longest of all rounds. Each round has an order at random. CPU share is how many processors it had, of as many as there \
             are threads: more than 1 where threads of its own worked, too.\n\n\
             `get` reads a key; `swap` reads one and writes it if its revision is still that one, and so do `logged`, `durable` and \
             `in-flight`; `mixed` reads 95 times for 5 swaps; `zipf` is of exponent 0.99, all else uniform. What a store that is \
             logged acknowledges survives the process at once, but for sled and redb, which lose what is younger than their names \
             say.\n\n\
             In memory: ours is `Store<String, ByteArray<100>>`, whose values are one piece with their revisions, with foldhash; \
             \"ifmatch, Arc<[u8]>\" is `Store<String, Arc<[u8]>>`, as the others' values are, and is no peer; by hand is \
             `DashMap<String, (u64, Arc<[u8]>)>` with its own hasher, SipHash, or with foldhash where it says so; the others have the \
             hasher that they come with.\n";
    for note in notes {
        writeln!(text, "\n{note}.").expect("text grows");
    }
    text += &goals(lines);
    let mut shown: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        let table = (line.heading, names(line));
        if !shown.contains(&table) {
            let alike: Vec<_> = lines
                .iter()
                .filter(|other| other.heading == line.heading && names(other) == table.1)
                .collect();
            // One that is held to two rivals is there twice.
            let alike: Vec<_> =
                alike.chunk_by(|a, b| a.name() == b.name()).map(|same| same[0]).collect();
            text += &figures(&alike);
            shown.push(table);
        }
    }
    text += &ahead(lines);
    text
}

fn names(line: &Line) -> Vec<&'static str> {
    line.figures.iter().map(|figure| figure.name).collect()
}

fn goals(lines: &[Line]) -> String {
    let mut text = String::from(
        "\n### Goals\n\n| workload | goal | ratio | by CPU time | ours | rival | CPU share, ours and rival | |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let begin = text.len();
    for line in lines {
        let Some(target) = line.target else { continue };
        let sign = if line.unit.is_cost() { "<=" } else { ">=" };
        let goal = match target {
            Target::Ratio(goal) => format!("{sign} {goal:.2}x"),
            Target::Amount(goal) => format!("{sign} {}, always", line.unit.show(goal)),
        };
        let Some(holds) = line.holds() else {
            let why = line.missing.as_deref().unwrap_or("nobody took part");
            let rival = line.rival.unwrap_or_default();
            writeln!(text, "| {} | {goal} | | | | {rival} | | not measured: {why} |", line.name())
                .expect("text grows");
            continue;
        };
        let rival =
            line.rival.map_or(String::new(), |rival| format!("{}, {rival}", cell(line, rival)));
        let share = |name: &str| line.cpu_of(name).map(|cpu| format!("{cpu:.2}"));
        let cpu = [share(OURS), line.rival.and_then(share)];
        let cpu = cpu.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let holds = if holds { "reached" } else { "**not reached**" };
        writeln!(
            text,
            "| {} | {goal} | {} | {} | {} | {rival} | {cpu} | {holds} |",
            line.name(),
            line.ratio().map_or(String::new(), |ratio| spread(&ratio)),
            line.by_cpu_time.map_or(String::new(), |ratio| format!("{ratio:.2}")),
            cell(line, OURS),
        )
        .expect("text grows");
    }
    if text.len() == begin {
        return String::new();
    }
    text += "\nWhy what is not reached is not: ARCHITECTURE.md, \"Where the time goes\".\n";
    text
}

/// An amount with the least and the most of its runs.
fn cell(line: &Line, name: &str) -> String {
    let series = line.of(name).cloned().unwrap_or_default();
    if line.is_amount() { line.unit.show_spread(&series) } else { line.unit.show(series.median()) }
}

/// Of one round there is none.
fn spread(ratio: &Series) -> String {
    match ratio.0.len() {
        1 => format!("{:.2}x", ratio.median()),
        _ => format!("{:.2}x, {:.2}-{:.2}", ratio.median(), ratio.min(), ratio.max()),
    }
}

/// A table of lines that the same contenders took part in.
fn figures(lines: &[&Line]) -> String {
    let names = names(lines[0]);
    let has_ours = names.contains(&OURS);
    let mut text = format!("\n### {}\n\n", lines[0].heading);
    if has_ours && names.len() > 1 {
        text += "In round brackets: ours divided by it, the median, the least and the most. In square ones: the least and the most of \
                 the figure. In bold: who is ahead of ours.\n\n";
    }
    writeln!(text, "| | {} |", names.join(" | ")).expect("text grows");
    writeln!(text, "|{}", " --- |".repeat(1 + names.len())).expect("text grows");
    for line in lines {
        let ahead: Vec<_> = line.ahead().collect();
        write!(text, "| {} |", line.name()).expect("text grows");
        for figure in &line.figures {
            let (name, mut cell) = (figure.name, cell(line, figure.name));
            if name != OURS
                && let Some(ratio) = line.over(name)
            {
                cell += &format!(" ({})", spread(&ratio));
            }
            let mark = if ahead.contains(&name) { "**" } else { "" };
            write!(text, " {mark}{cell}{mark} |").expect("text grows");
        }
        text.push('\n');
    }
    text
}

/// Where a peer wins.
fn ahead(lines: &[Line]) -> String {
    let mut text = String::from("\n### Where a peer is ahead\n\n");
    let begin = text.len();
    let lines = lines.chunk_by(|a, b| a.name() == b.name()).map(|same| &same[0]);
    for line in lines {
        let peers: Vec<_> = line
            .ahead()
            .filter_map(|name| Some(format!("{name} ({})", spread(&line.over(name)?))))
            .collect();
        if !peers.is_empty() {
            writeln!(text, "- {}: {}", line.name(), peers.join(", ")).expect("text grows");
        }
    }
    if text.len() == begin {
        text += "Nowhere in this run.\n";
    }
    text
}

/// `rows`, one for each goal; and `figures`, all there are, with the raw ones.
#[must_use]
pub fn json(
    circumstances: &Circumstances,
    lines: &[Line],
    notes: &[String],
    growths: &[Growth],
) -> String {
    let rows: Vec<_> = lines.iter().filter_map(Line::row).collect();
    let figures: Vec<_> = lines.iter().map(Line::json).collect();
    let all = json!({
        "circumstances": circumstances,
        "rows": rows,
        "figures": figures,
        "notes": notes,
        "growth": growth::json(growths),
    });
    serde_json::to_string_pretty(&all).expect("numbers and names") + "\n"
}

/// The tables, and the plots that are beside them.
#[must_use]
pub fn page(table: &str, plots: &[String]) -> String {
    let mut text = format!("# Side by side\n\n{table}\n### Plots\n\n");
    plots.iter().for_each(|plot| text += &image(plot));
    text
}

/// What it shows is in its title, and in the tables beside.
fn image(plot: &str) -> String {
    let name = plot.trim_end_matches(".svg").replace('-', " ");
    format!("<img src=\"{plot}\" alt=\"Plot: {name}\" width=\"49%\">\n")
}

/// How costs grow.
#[must_use]
pub fn growth_page(circumstances: &Circumstances, plots: &[String], growths: &[Growth]) -> String {
    let mut text = String::from("# How costs grow\n\n");
    text += &circumstances.markdown();
    text += "\nPoints are medians over rounds in which the contenders took turns, bars the least and the most.\n\n";
    plots.iter().for_each(|plot| text += &image(plot));
    for (title, notes) in growths.iter().filter_map(Growth::notes) {
        writeln!(text, "\n{title}:\n").expect("text grows");
        notes.iter().for_each(|note| writeln!(text, "- {note}").expect("text grows"));
    }
    text
}
