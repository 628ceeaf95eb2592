//! The legend: entries, its place, its drawing.

use crate::color::{INK, SERIES};
use crate::ink::{Anchor, Ink, Path, Rgb, clean, hex};
use crate::occupancy::Occupancy;
use crate::style::{Marker, Role, Style, label};
use crate::{marks, text};
use neuropil_core::{Mark, Panel};

/// Text size.
const SIZE: f64 = 11.0;
/// Height of a row.
pub const ROW: f64 = 16.0;
/// Width of the drawn sample with the gap after it.
const SAMPLE: f64 = 28.0;
/// More entries than this are counted, not drawn.
const MOST: usize = 24;

/// One row of a legend: a label and the samples drawn for it, on top of each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    label: String,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sample {
    Line { color: Rgb, dashed: bool, marker: Option<Marker>, interval: bool },
    Points { color: Rgb, marker: Marker },
    Ticks { color: Rgb },
    Bars { color: Rgb, index: usize },
    Band { slot: usize },
    Level { slot: usize },
    More,
}

impl Entry {
    fn width(&self) -> f64 {
        SAMPLE + text::width(&self.label, SIZE)
    }
}

/// The entries of a panel; marks with the same label share one.
pub fn entries(panel: &Panel, styles: &[Style]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut more = 0;
    for (mark, style) in panel.marks.iter().zip(styles) {
        let label = clean(label(mark));
        if label.is_empty() || style.role == Role::Bundle {
            continue;
        }
        let sample = match mark {
            Mark::Line { x, dashed, interval, .. } => Sample::Line {
                color: style.color,
                dashed: *dashed,
                marker: marks::line_marker(style, x.len()),
                interval: interval.is_some(),
            },
            Mark::Points { .. } => Sample::Points { color: style.color, marker: Marker::of(style.index) },
            Mark::Raster { .. } => Sample::Ticks { color: style.color },
            Mark::Bars { .. } => Sample::Bars { color: style.color, index: style.index },
            Mark::Band { .. } => Sample::Band { slot: style.slot.0 },
            Mark::Level { .. } => Sample::Level { slot: style.slot.0 },
            _ => continue,
        };
        let label = text::shorten(&label, SIZE, 230.0);
        if let Some(entry) = entries.iter_mut().find(|e| e.label == label) {
            if !entry.samples.contains(&sample) && entry.samples.len() < 3 {
                entry.samples.push(sample);
            }
        } else if entries.len() < MOST {
            entries.push(Entry { label, samples: vec![sample] });
        } else {
            more += 1;
        }
    }
    if more > 0 {
        entries.push(Entry { label: format!("and {more} more"), samples: vec![Sample::More] });
    }
    entries
}

/// Size of the entries stacked in one column.
fn stacked(entries: &[Entry]) -> (f64, f64) {
    let width = entries.iter().map(Entry::width).fold(0.0, f64::max);
    (width + 12.0, entries.len() as f64 * ROW + 6.0)
}

/// The free place inside a plot of the given size, if there is one: corners first, then the edges.
pub fn place_inside(entries: &[Entry], taken: &Occupancy, width: f64, height: f64) -> Option<(f64, f64)> {
    let (w, h) = stacked(entries);
    if entries.len() > 6 || w > 0.6 * width || h > 0.55 * height {
        return None;
    }
    let (left, right, top, bottom) = (6.0, width - w - 6.0, 5.0, height - h - 5.0);
    let (middle, center) = ((width - w) / 2.0, (height - h) / 2.0);
    let places = [
        (right, top),
        (left, top),
        (right, bottom),
        (left, bottom),
        (middle, top),
        (middle, bottom),
        (right, center),
        (left, center),
    ];
    places.into_iter().find(|&(x, y)| taken.is_free(x - 4.0, y - 4.0, w + 8.0, h + 8.0))
}

/// Draws the stacked entries on a white ground at (x, y).
pub fn draw_stacked(ink: &mut Ink, entries: &[Entry], x: f64, y: f64) {
    let (w, h) = stacked(entries);
    ink.rect(x, y, w, h, "fill=\"#fff\" fill-opacity=\".88\" stroke=\"#ddd\" rx=\"2\"");
    for (i, entry) in entries.iter().enumerate() {
        draw_entry(ink, entry, x + 6.0, y + 3.0 + (i as f64 + 0.5) * ROW);
    }
}

/// Positions of the entries in rows of at most `room` pixels, and the height of the rows.
fn flow(entries: &[Entry], room: f64) -> (Vec<(f64, f64)>, f64) {
    let (mut x, mut y) = (0.0, 0.0);
    let mut places = Vec::new();
    for entry in entries {
        let w = entry.width() + 14.0;
        if x > 0.0 && x + w > room + 14.0 {
            x = 0.0;
            y += ROW;
        }
        places.push((x, y));
        x += w;
    }
    (places, y + ROW)
}

/// Height of the entries in rows of at most `room` pixels.
pub fn flow_height(entries: &[Entry], room: f64) -> f64 {
    if entries.is_empty() { 0.0 } else { flow(entries, room).1 + 4.0 }
}

/// Draws the entries in rows below (x, y).
pub fn draw_flow(ink: &mut Ink, entries: &[Entry], x: f64, y: f64, room: f64) {
    for (entry, place) in entries.iter().zip(flow(entries, room).0) {
        draw_entry(ink, entry, x + place.0, y + place.1 + ROW / 2.0);
    }
}

fn draw_entry(ink: &mut Ink, entry: &Entry, x: f64, y: f64) {
    for sample in &entry.samples {
        draw_sample(ink, sample, x, y);
    }
    ink.text(x + SAMPLE, y + 4.0, Anchor::Start, &entry.label, &format!("font-size=\"11\" fill=\"{INK}\""));
}

fn draw_sample(ink: &mut Ink, sample: &Sample, x: f64, y: f64) {
    let mut path = Path::default();
    match *sample {
        Sample::Line { color, dashed, marker, interval } => {
            if interval {
                ink.rect(x, y - 5.0, 22.0, 10.0, &format!("fill=\"{}\" fill-opacity=\".2\"", hex(color)));
            }
            path.segment((x, y), (x + 22.0, y));
            ink.path(&path, &marks::line_attributes(color, dashed, 1.8));
            if let Some(marker) = marker {
                let mut shape = Path::default();
                marker.draw(&mut shape, x + 11.0, y, 3.4);
                ink.path(&shape, &marker.attributes(color));
            }
        }
        Sample::Points { color, marker } => {
            marker.draw(&mut path, x + 11.0, y, 3.6);
            ink.path(&path, &marker.attributes(color));
        }
        Sample::Ticks { color } => {
            for k in 0..4 {
                path.down(x + 4.0 + 5.0 * f64::from(k), y - 5.0, 10.0);
            }
            ink.path(&path, &format!("fill=\"none\" stroke=\"{}\" stroke-width=\"1.3\"", hex(color)));
        }
        Sample::Bars { color, index } => marks::bar(ink, (x + 3.0, y - 5.0, 16.0, 10.0), color, index),
        Sample::Band { slot } => {
            ink.rect(x, y - 5.0, 22.0, 10.0, &marks::band_attributes(slot));
        }
        Sample::Level { slot } => {
            path.segment((x, y), (x + 22.0, y));
            ink.path(&path, &marks::level_attributes(slot));
        }
        Sample::More => {
            for k in 0..3 {
                path.dot(x + 5.0 + 6.0 * f64::from(k), y);
            }
            let color = hex(SERIES[0]);
            ink.path(&path, &format!("stroke=\"{color}\" stroke-width=\"2.5\" stroke-linecap=\"round\""));
        }
    }
}
