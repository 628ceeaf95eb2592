//! What the experiments show, as figures.

use super::experiment::{Known, LayerResult};
use super::resampling::interval;
use neuropil_core::{Axis, Figure, Mark, Panel};
use neuropil_math::statistics::mean;

fn correlation_axis() -> Axis {
    Axis::new("correlation r", "")
}

fn ranks(n: usize) -> Vec<f64> {
    (1..=n).map(|k| k as f64).collect()
}

/// Sorted values of several lists, averaged rank by rank over the common length.
fn mean_curve(lists: &[Vec<f64>]) -> Vec<f64> {
    let n = lists.iter().map(Vec::len).min().unwrap_or(0);
    (0..n).map(|k| mean(&lists.iter().map(|l| l[k]).collect::<Vec<_>>())).collect()
}

/// Matched correlations of units of known kind.
pub(super) fn known(known: &Known) -> Figure {
    let marks = ["copies", "sums of 2 to 4 units", "strangers"]
        .iter()
        .zip(&known.correlations)
        .map(|(name, r)| {
            let mut r = r.clone();
            r.sort_by(|a, b| b.total_cmp(a));
            Mark::line(name, ranks(r.len()), r)
        })
        .collect();
    let panel = Panel::new("", Axis::new("unit, sorted", ""), correlation_axis().limits(-0.1, 1.0), marks);
    Figure::new(
        "known_units",
        "Copies are matched, sums half, strangers not at all",
        "Correlation of each unit of a synthetic second population with its partner in the one-to-one matching. Copies are \
         permuted, scaled and noisy.",
        vec![panel],
    )
}

/// Mean match per layer beside chance and the untrained network.
pub(super) fn overview(layers: &[LayerResult]) -> Figure {
    let x: Vec<f64> = (0..layers.len()).map(|k| k as f64).collect();
    let spans: Vec<(f64, f64)> = layers.iter().map(|l| interval(&l.resampled(|s| s.matched))).collect();
    let mut marks = vec![Mark::Line {
        label: "one-to-one".into(),
        x: x.clone(),
        y: layers.iter().map(LayerResult::matched).collect(),
        interval: Some((spans.iter().map(|s| s.0).collect(), spans.iter().map(|s| s.1).collect())),
        dashed: false,
    }];
    let semi = layers.iter().map(|l| l.over_pairs(|c| mean(&c.matching.semi_value))).collect();
    marks.push(Mark::line("semi-matched", x.clone(), semi));
    let nulls: Vec<_> = layers.iter().filter_map(|l| l.nulls.as_ref()).collect();
    if nulls.len() == layers.len() {
        for (name, values) in [
            ("untrained network", nulls.iter().map(|n| mean(&n.untrained)).collect::<Vec<f64>>()),
            ("shuffled images", nulls.iter().map(|n| mean(&n.shuffled)).collect()),
        ] {
            let dashed = Mark::Line { label: name.into(), x: x.clone(), y: values, interval: None, dashed: true };
            marks.push(dashed);
        }
    }
    let names = x.iter().zip(layers).map(|(x, l)| (*x, l.name.clone())).collect();
    let axis = Axis { ticks: Some(names), ..Axis::new("layer", "") };
    let panel = Panel::new("", axis, Axis::new("mean correlation r", "").limits(0.0, 1.0), marks);
    Figure::new(
        "match_by_layer",
        "How well units match from layer to layer",
        "Mean correlation of matched units over all pairs of networks; the shade is the 95 % interval over images. Dashed: \
         the same with images in another order, and with a network before training.",
        vec![panel],
    )
}

/// Sorted match curves, one panel per layer.
pub(super) fn match_curves(layers: &[LayerResult]) -> Figure {
    let panels = layers
        .iter()
        .map(|l| {
            let sorted: Vec<Vec<f64>> = l.compared.iter().map(|(c, _)| c.matching.sorted()).collect();
            let semi: Vec<Vec<f64>> = l.compared.iter().map(|(c, _)| c.matching.sorted_semi()).collect();
            let curve = mean_curve(&sorted);
            let end = |f: fn(f64, f64) -> f64, start: f64| {
                (0..curve.len()).map(|k| sorted.iter().map(|s| s[k]).fold(start, f)).collect::<Vec<f64>>()
            };
            let mut marks = vec![
                Mark::Line {
                    label: "one-to-one".into(),
                    x: ranks(curve.len()),
                    interval: Some((end(f64::min, 1.0), end(f64::max, -1.0))),
                    y: curve,
                    dashed: false,
                },
                {
                    let y = mean_curve(&semi);
                    Mark::line("semi-matched", ranks(y.len()), y)
                },
            ];
            if let Some(n) = &l.nulls {
                for (name, y) in [("untrained network", &n.untrained), ("shuffled", &n.shuffled)] {
                    if !y.is_empty() {
                        marks.push(Mark::Line {
                            label: name.into(),
                            x: ranks(y.len()),
                            y: y.clone(),
                            interval: None,
                            dashed: true,
                        });
                    }
                }
            }
            Panel::new(&l.name, Axis::new("unit, sorted", ""), correlation_axis().limits(-0.2, 1.0), marks)
        })
        .collect();
    let mut figure = Figure::new(
        "match_curves",
        "Some units are learned by every network, some are not",
        "Correlation of each unit with its partner, best first, mean of all pairs of networks; the shade spans the pairs. A \
         gap between the semi-matching and the one-to-one matching marks units that share a partner.",
        panels,
    );
    figure.columns = 2.min(figure.panels.len());
    figure
}

/// Units of the first pair in the order of their match.
pub(super) fn matched_correlations(layers: &[LayerResult]) -> Figure {
    let panels = layers.iter().filter_map(|l| {
        let (c, _) = l.compared.first()?;
        let mut pairs: Vec<(usize, usize)> =
            c.matching.bipartite.iter().enumerate().filter_map(|(i, j)| j.map(|j| (i, j))).collect();
        pairs.sort_by(|p, q| c.correlation[*q].total_cmp(&c.correlation[*p]));
        let values = pairs.iter().flat_map(|p| pairs.iter().map(|q| c.correlation[(p.0, q.1)])).collect();
        Some(correlation_panel(&l.name, pairs.len(), pairs.len(), values, l.compared.len()))
    });
    let mut figure = Figure::new(
        "matched_correlations",
        "Partners stand out, and are not alone",
        "Correlations of the first network (rows) with the second (columns), both in the order of their matched \
         correlations, so that partners lie on the diagonal. What lies beside it is shared by several units.",
        panels.collect(),
    );
    figure.columns = 2.min(figure.panels.len());
    figure
}

fn correlation_panel(name: &str, rows: usize, columns: usize, values: Vec<f64>, pairs: usize) -> Panel {
    let matrix = Mark::Matrix {
        rows,
        columns,
        values,
        row_names: Vec::new(),
        column_names: Vec::new(),
        label: "r".into(),
        diverging: true,
        limits: Some((-1.0, 1.0)),
    };
    let title = if pairs > 1 { format!("{name}, first pair") } else { name.to_string() };
    Panel::new(&title, Axis::new("units of the second", ""), Axis::new("units of the first", ""), vec![matrix])
}

/// Units of the first pair in the order of the tree over their spectral embedding.
pub(super) fn cluster_order(layers: &[LayerResult]) -> Figure {
    let panels = layers.iter().filter_map(|l| {
        let (c, _) = l.compared.first()?;
        let n1 = c.correlation.rows();
        let leaves = c.clusters.tree.leaves();
        let rows: Vec<usize> = leaves.iter().copied().filter(|&u| u < n1).collect();
        let columns: Vec<usize> = leaves.iter().filter(|&&u| u >= n1).map(|u| u - n1).collect();
        let values = rows.iter().flat_map(|&i| columns.iter().map(move |&j| c.correlation[(i, j)])).collect();
        Some(correlation_panel(&l.name, rows.len(), columns.len(), values, l.compared.len()))
    });
    let mut figure = Figure::new(
        "cluster_order",
        "Groups of units that span a subspace together",
        "The same correlations in the order of the tree of average linkage over the spectral embedding of both networks: \
         blocks are groups of units that several units of the other network answer to.",
        panels.collect(),
    );
    figure.columns = 2.min(figure.panels.len());
    figure
}

/// Held-out R^2 against the number of units that a map uses.
pub(super) fn explained(layers: &[LayerResult]) -> Figure {
    let mut marks = Vec::new();
    let (mut ones, mut singles) = (Vec::new(), Vec::new());
    for l in layers {
        let Some((first, _)) = l.compared.first() else { continue };
        let points = (0..first.mapping.path.len())
            .map(|k| (l.over_pairs(|c| c.mapping.path[k].units), l.over_pairs(|c| c.mapping.path[k].explained)))
            // Less than half a unit per target is no map.
            .filter(|p| p.0 >= 0.5);
        let (x, y) = points.unzip();
        marks.push(Mark::line(&l.name, x, y));
        ones.push(1.0);
        singles.push(l.over_pairs(|c| c.mapping.single));
    }
    marks.push(Mark::points("best single unit", ones, singles));
    let panel = Panel::new(
        "",
        Axis::new("units per target", "").log(),
        Axis::new("held-out R^2", "").limits(0.0, 1.0),
        marks,
    );
    Figure::new(
        "explained_by_units",
        "A few units predict what one cannot",
        "Units of one network predicted from those of another by sparse linear maps, mean of targets and pairs; each curve \
         is a path of penalties. Dots at 1 are the best single unit; strong penalties shrink weights, so that the left end of \
         a curve lies below it.",
        vec![panel],
    )
}

/// How many units of each network the clusters hold.
pub(super) fn cluster_sizes(layers: &[LayerResult]) -> Figure {
    let panels = layers
        .iter()
        .map(|l| {
            let sizes: Vec<(usize, usize)> = l
                .compared
                .iter()
                .flat_map(|(c, _)| c.clusters.clusters.iter().map(|k| (k.first.len(), k.second.len())))
                .collect();
            // The few giants would leave no room for the rest.
            let most = sizes.iter().map(|s| s.0.max(s.1)).max().unwrap_or(0).min(9);
            let side = most + 1;
            let mut counts = vec![0.0; side * side];
            for (a, b) in &sizes {
                counts[(*a).min(most) * side + (*b).min(most)] += 1.0;
            }
            let name = |k: usize| if k == 9 { "9+".to_string() } else { k.to_string() };
            let names: Vec<String> = (0..side).map(name).collect();
            let matrix = Mark::Matrix {
                rows: side,
                columns: side,
                values: counts,
                row_names: names.clone(),
                column_names: names,
                label: "clusters".into(),
                diverging: false,
                limits: None,
            };
            let axes = |which: &str| Axis::new(&format!("units of the {which}"), "");
            Panel::new(&l.name, axes("second"), axes("first"), vec![matrix])
        })
        .collect();
    let mut figure = Figure::new(
        "cluster_sizes",
        "Clusters hold units of both networks",
        "Number of spectral clusters with so many units of the first and of the second network, all pairs.",
        panels,
    );
    figure.columns = 2.min(figure.panels.len());
    figure
}

/// Pixels per weight of a filter, and of the gap between filters.
const ZOOM: usize = 9;
const GAP: usize = 14;
/// Filters side by side.
const ACROSS: usize = 8;

/// Filters of the first convolution of all networks: partners of one unit of the first network stand in one column.
pub(super) fn filters(conv1: &LayerResult, filters: &[Vec<Vec<f32>>], channels: usize) -> Figure {
    // Partners of each live unit of the first network, and their mean correlation.
    let with_first: Vec<_> = conv1.compared.iter().map(|(c, _)| c).filter(|c| c.first == 0).collect();
    let live = conv1.members.first().map_or(0, |m| m.live.len());
    let mut columns: Vec<(f64, Vec<Option<usize>>)> = (0..live)
        .map(|i| {
            let r: Vec<f64> =
                with_first.iter().map(|c| c.matching.bipartite_value[i]).filter(|v| v.is_finite()).collect();
            let partners = with_first.iter().map(|c| c.matching.bipartite[i]);
            (mean(&r), std::iter::once(Some(i)).chain(partners).collect())
        })
        .filter(|(r, _): &(f64, Vec<Option<usize>>)| r.is_finite())
        .collect();
    columns.sort_by(|a, b| b.0.total_cmp(&a.0));
    let panels = columns
        .chunks(ACROSS)
        .map(|chunk| {
            let taps = filters.first().and_then(|f| f.first()).map_or(1, Vec::len) / channels.max(1);
            let side = taps.isqrt().max(1);
            let cell = side * ZOOM + GAP;
            let (width, height) = (ACROSS * cell, filters.len() * cell);
            let mut pixels = vec![255_u8; width * height * 3];
            for (column, (_, partners)) in chunk.iter().enumerate() {
                for (net, unit) in partners.iter().enumerate() {
                    let Some(filter) = unit.and_then(|u| filters.get(net)?.get(conv1.members[net].live[u])) else { continue };
                    draw(&mut pixels, width, (net * cell + GAP / 2, column * cell + GAP / 2), filter, side, channels);
                }
            }
            let centre = |k: usize| (k * cell) as f64 + 0.5 * cell as f64 - 0.5;
            let below = chunk.iter().enumerate().map(|(k, (r, _))| (centre(k), format!("{r:.2}"))).collect();
            let beside = (0..filters.len()).map(|k| (centre(k), format!("net {}", k + 1))).collect();
            let axis = |label: &str, ticks| Axis { ticks: Some(ticks), ..Axis::new(label, "") };
            let image = Mark::Image { width, height, channels: 3, pixels, overlay: None };
            Panel::new("", axis("mean r of partners", below), axis("", beside), vec![image])
        })
        .collect();
    let mut figure = Figure::new(
        "matched_filters",
        "First filters whose responses match, net by net",
        "Filters of the first convolution; each column is a unit of net 1 above its partners in the other networks, best \
         matches first, the mean correlation of their responses below. Red weights are positive, blue negative, each \
         filter scaled to its largest weight.",
        panels,
    );
    figure.columns = 2.min(figure.panels.len());
    figure
}

fn draw(pixels: &mut [u8], width: usize, (top, left): (usize, usize), filter: &[f32], side: usize, channels: usize) {
    // A thin rim, or pale filters would have no edge.
    for y in 0..side * ZOOM + 4 {
        for x in 0..side * ZOOM + 4 {
            let at = ((top + y - 2) * width + left + x - 2) * 3;
            pixels[at..at + 3].fill(120);
        }
    }
    let most = filter.iter().fold(f32::MIN_POSITIVE, |m, w| m.max(w.abs()));
    let plane = side * side;
    for y in 0..side * ZOOM {
        for x in 0..side * ZOOM {
            let tap = y / ZOOM * side + x / ZOOM;
            let rgb: [u8; 3] = if channels == 3 {
                std::array::from_fn(|c| (127.5 + 127.5 * filter[c * plane + tap] / most) as u8)
            } else {
                let v = filter[tap] / most;
                // White in the middle, towards red or blue.
                let to = if v > 0.0 { [178.0, 24.0, 43.0] } else { [33.0, 102.0, 172.0] };
                std::array::from_fn(|c| (255.0 + (to[c] - 255.0) * v.abs()) as u8)
            };
            let at = ((top + y) * width + left + x) * 3;
            pixels[at..at + 3].copy_from_slice(&rgb);
        }
    }
}
