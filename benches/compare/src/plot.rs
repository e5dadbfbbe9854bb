//! Figures as pictures, in SVG.

use std::path::Path;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use crate::engines::{OURS, OURS_APART, RAW};
use crate::line::{Figure, Line, Unit};
use crate::measure::Series;

type Error = Box<dyn std::error::Error>;

/// A file for each workload and figure, of those that several took part in: bars, a group for each number of threads. Returns
/// their names.
pub fn bars(directory: &Path, lines: &[Line]) -> Result<Vec<String>, Error> {
    let mut files: Vec<(String, Vec<&Line>)> = Vec::new();
    for line in lines.iter().filter(|line| line.figures.len() > 1 && line.figure != "worst pause") {
        let kind = if line.threads == 0 {
            line.name()
        } else {
            format!("{} {}", line.workload, line.figure)
        };
        let name: String =
            kind.chars().filter(|c| *c != ',').map(|c| if c == ' ' { '-' } else { c }).collect();
        let name = format!("{name}.svg");
        match files.iter_mut().find(|(known, _)| *known == name) {
            // One that is held to two rivals is there twice.
            Some((_, lines)) if lines.iter().any(|known| known.name() == line.name()) => {}
            Some((_, lines)) => lines.push(line),
            None => files.push((name, vec![line])),
        }
    }
    for (name, lines) in &files {
        bars_of(&directory.join(name), lines)?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
}

/// Ours first, and the strongest.
const COLOURS: [RGBColor; 9] = [
    RGBColor(0, 90, 181),
    RGBColor(230, 130, 30),
    RGBColor(120, 120, 120),
    RGBColor(60, 160, 100),
    RGBColor(200, 80, 120),
    RGBColor(140, 100, 190),
    RGBColor(170, 140, 60),
    RGBColor(90, 180, 200),
    RGBColor(190, 190, 190),
];

/// A store has one colour in all plots: that of the first of these which its name begins with. Some that are never in one plot
/// share theirs.
const STORES: [(&str, RGBColor); 18] = [
    (OURS_APART, RGBColor(150, 190, 230)),
    (OURS, COLOURS[0]),
    ("DashMap by hand, foldhash", RGBColor(245, 190, 130)),
    ("DashMap", COLOURS[1]),
    (RAW, COLOURS[2]),
    ("surrealmx", COLOURS[3]),
    ("surrealkv", COLOURS[4]),
    ("rocksdb", COLOURS[5]),
    ("fjall", COLOURS[6]),
    ("sled", COLOURS[7]),
    ("redb", COLOURS[8]),
    ("papaya", COLOURS[4]),
    ("scc", COLOURS[5]),
    ("Mutex", COLOURS[6]),
    ("Redis, no", COLOURS[7]),
    ("Redis, everysec", COLOURS[8]),
    ("Redis", COLOURS[4]),
    ("etcd", COLOURS[5]),
];

fn colour_of(name: &str) -> RGBColor {
    let found = STORES.iter().find(|(store, _)| name.starts_with(store));
    found.map_or(COLOURS[2], |(_, colour)| *colour)
}

const TEXT: RGBColor = RGBColor(50, 50, 50);

/// What one of this unit is shown as, and its name, so that no figure needs more than four digits.
fn scale(unit: Unit, most: f64) -> (f64, &'static str) {
    match unit {
        Unit::PerSecond => match most {
            1e6.. => (1e6, "million a second"),
            1e3.. => (1e3, "thousand a second"),
            _ => (1.0, "a second"),
        },
        Unit::Seconds => match most {
            1.0.. => (1.0, "seconds"),
            1e-3.. => (1e-3, "milliseconds"),
            _ => (1e-6, "microseconds"),
        },
        Unit::BytesAKey => (1.0, "bytes a key"),
        Unit::BytesALiveByte => (1.0, "bytes a live byte"),
    }
}

fn bars_of(path: &Path, lines: &[&Line]) -> Result<(), Error> {
    let figures = || lines.iter().flat_map(|line| &line.figures);
    let most = figures().map(|figure| figure.series.max()).fold(0.0, f64::max);
    let first = lines[0];
    let (unit, unit_name) = scale(first.unit, most);
    let better = if first.unit.is_cost() { "less is better" } else { "more is better" };
    let root = SVGBackend::new(path, (720, 340)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = if first.threads == 0 {
        first.name()
    } else {
        format!("{}, {}", first.workload, first.figure)
    };
    let (legend, area) = legend_of(&root, &format!("{title}: {unit_name}, {better}"))?;
    let width = first.figures.len() as f64 + 1.5;
    let mut chart = ChartBuilder::on(&area);
    chart.margin(8).x_label_area_size(26).y_label_area_size(56);
    let x = 0.0..width * lines.len() as f64;
    let least = figures().map(|figure| figure.series.min()).fold(most, f64::min);
    if first.unit == Unit::Seconds && most > MANY_TIMES * least {
        let range = least / unit / 1.3..most / unit * 1.3;
        let mut chart = chart.build_cartesian_2d(x, range.clone().log_scale())?;
        draw_bars(&root, &legend, &mut chart, range.start, unit, lines)?;
    } else {
        let range = 0.0..most / unit * 1.08;
        let mut chart = chart.build_cartesian_2d(x, range.clone())?;
        draw_bars(&root, &legend, &mut chart, range.start, unit, lines)?;
    }
    root.present()?;
    Ok(())
}

/// Times that are so far apart are shown by factors, or the shortest would not be seen.
const MANY_TIMES: f64 = 50.0;

fn draw_bars<X, Y>(
    root: &Area<'_>,
    legend: &Legend<'_>,
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    bottom: f64,
    unit: f64,
    lines: &[&Line],
) -> Result<(), Error>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    mesh_y(chart)?;
    let width = lines[0].figures.len() as f64 + 1.5;
    for (group, line) in lines.iter().enumerate() {
        let begin = group as f64 * width + 0.75;
        for (index, Figure { name, series, .. }) in line.figures.iter().enumerate() {
            let (left, height) = (begin + index as f64, series.median() / unit);
            let colour = colour_of(name);
            let axis = chart.plotting_area();
            axis.draw(&Rectangle::new([(left, bottom), (left + 0.86, height)], colour.filled()))?;
            let spread = [series.min(), series.max()].map(|y| (left + 0.43, y / unit));
            axis.draw(&PathElement::new(spread, TEXT.mix(0.6)))?;
            if group == 0 {
                legend.entry(index, name, colour)?;
            }
        }
        if line.threads > 0 {
            let middle = begin + line.figures.len() as f64 / 2.0;
            let (x, y) = chart.backend_coord(&(middle, bottom));
            centred(root, &line.hands(), (x, y + 16))?;
        }
    }
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Above the chart.
struct Legend<'a>(Area<'a>);

/// So many stand beside each other.
const COLUMNS: usize = 4;

impl Legend<'_> {
    fn entry(&self, index: usize, name: &str, colour: RGBColor) -> Result<(), Error> {
        let (x, y) = (20 + (index % COLUMNS * 172) as i32, 28 + (index / COLUMNS * 17) as i32);
        self.0.draw(&Rectangle::new([(x, y), (x + 11, y + 11)], colour.filled()))?;
        let weight = if name == OURS { FontStyle::Bold } else { FontStyle::Normal };
        let font = ("sans-serif", 13).into_font().style(weight).color(&TEXT);
        self.0.draw(&Text::new(name.to_owned(), (x + 16, y - 1), font))?;
        Ok(())
    }
}

fn legend_of<'a>(root: &Area<'a>, title: &str) -> Result<(Legend<'a>, Area<'a>), Error> {
    let (top, rest) = root.split_vertically(82);
    let font = ("sans-serif", 15).into_font().color(&TEXT);
    top.draw(&Text::new(title.to_owned(), (20, 6), font))?;
    Ok((Legend(top), rest))
}

fn centred(root: &Area<'_>, name: &str, at: (i32, i32)) -> Result<(), Error> {
    let font = ("sans-serif", 13).into_font().color(&TEXT);
    let position = plotters::style::text_anchor::Pos::new(
        plotters::style::text_anchor::HPos::Center,
        plotters::style::text_anchor::VPos::Center,
    );
    root.draw(&Text::new(name.to_owned(), at, font.pos(position)))?;
    Ok(())
}

fn mesh_y<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
) -> Result<(), Error>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .axis_style(RGBColor(150, 150, 150))
        .y_labels(6)
        .y_label_formatter(&|y| shown(*y))
        .y_label_style(("sans-serif", 13).into_font().color(&TEXT))
        .draw()?;
    Ok(())
}

/// How something grows: a line for each contender.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Whose, or what of ours.
    pub name: String,
    /// Where, and the figures there.
    pub points: Vec<(f64, Series)>,
}

/// How the axis at the side goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From zero.
    Linear,
    /// By factors, from the least that there is.
    Logarithmic,
}

/// The places are shown as far from each other as they come: they are steps of a geometric series, some with zero.
pub fn curves(
    path: &Path,
    title: &str,
    x_name: &str,
    (unit, scale_y): (Unit, Scale),
    curves: &[Curve],
) -> Result<(), Error> {
    let places = curves[0].points.len() as f64;
    let all = || curves.iter().flat_map(|curve| &curve.points).map(|(_, series)| series);
    let most = all().map(Series::max).fold(0.0, f64::max);
    let (unit, unit_name) = scale(unit, most);
    let root = SVGBackend::new(path, (720, 340)).into_drawing_area();
    root.fill(&WHITE)?;
    let (legend, area) = legend_of(&root, &format!("{title}: {unit_name}, by {x_name}"))?;
    let mut chart = ChartBuilder::on(&area);
    chart.margin(8).x_label_area_size(26).y_label_area_size(56);
    let x = -0.3..places - 0.7;
    match scale_y {
        Scale::Linear => {
            let range = 0.0..most / unit * 1.08;
            let mut chart = chart.build_cartesian_2d(x, range.clone())?;
            draw(&root, &legend, &mut chart, range.start, unit, curves)?;
        }
        Scale::Logarithmic => {
            let least = all().map(Series::min).fold(most, f64::min);
            let range = least / unit / 1.3..most / unit * 1.3;
            let mut chart = chart.build_cartesian_2d(x, range.clone().log_scale())?;
            draw(&root, &legend, &mut chart, range.start, unit, curves)?;
        }
    }
    root.present()?;
    Ok(())
}

fn draw<X, Y>(
    root: &Area<'_>,
    legend: &Legend<'_>,
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    bottom: f64,
    unit: f64,
    curves: &[Curve],
) -> Result<(), Error>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    mesh_y(chart)?;
    let places: Vec<f64> = curves[0].points.iter().map(|(x, _)| *x).collect();
    for (index, place) in places.iter().enumerate() {
        let (x, y) = chart.backend_coord(&(index as f64, bottom));
        centred(root, &short(*place), (x, y + 16))?;
    }
    for (index, curve) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        legend.entry(index, &curve.name, colour)?;
        let points: Vec<_> = curve
            .points
            .iter()
            .filter_map(|(x, series)| {
                let index = places.iter().position(|place| place == x)?;
                Some((index as f64, series))
            })
            .collect();
        let medians: Vec<_> =
            points.iter().map(|(x, series)| (*x, series.median() / unit)).collect();
        chart.draw_series(LineSeries::new(medians.clone(), colour.stroke_width(2)))?;
        chart
            .draw_series(medians.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
        chart.draw_series(points.iter().map(|(x, series)| {
            let spread = [(*x, series.min() / unit), (*x, series.max() / unit)];
            PathElement::new(spread, colour.mix(0.4))
        }))?;
    }
    Ok(())
}

/// As short as it can be.
fn shown(y: f64) -> String {
    // Where it is summed up, a step of a tenth is not quite that.
    format!("{}", (y * 1e6).round() / 1e6)
}

fn short(number: f64) -> String {
    match number {
        1e6.. if number % 1e5 == 0.0 => format!("{} M", number / 1e6),
        1e3.. if number % 1e2 == 0.0 => format!("{} k", number / 1e3),
        _ => format!("{number}"),
    }
}
