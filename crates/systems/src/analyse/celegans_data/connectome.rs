//! Connectomes of any source on the 302 slots, with a ledger of everything that has no slot.

use super::ledger::Ledger;
use neuropil_core::connectome::Edge;
use neuropil_core::{Array, Connectome, Error, Result, Unit};
use neuropil_data::formats::npy::Value;
use neuropil_data::formats::{csv, graphml, npz};
use neuropil_data::worm_names::{NEURON_COUNT, NEURONS, Reading, read_name};
use neuropil_data::{Column, Frame};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What becomes of the two directions of a gap junction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Symmetrise {
    /// The larger of both directions: right for sources that list each junction twice.
    Max,
    /// Their sum: right for sources that list each junction once.
    Sum,
}

/// What a kind of edges is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Gap,
    Chemical,
    Other,
}

/// One kind of edges: its totals at every stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindTotals {
    /// Name of the kind in the result.
    pub kind: String,
    /// Total weight in the source.
    pub source: f64,
    /// Total weight on the 302 slots before symmetrisation.
    pub kept: f64,
    /// Total weight without a slot, all of it in the ledger.
    pub dropped: f64,
    /// Edges on the 302 slots, parallel ones summed.
    pub edges: usize,
    /// Pairs whose two directions differ before symmetrisation; 0 for kinds with a direction.
    pub asymmetric_pairs: usize,
    /// Sum of the differences of both directions over the total weight, before symmetrisation.
    pub asymmetry: f64,
}

/// A connectome on the canonical axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Homogenised {
    /// Name of the source.
    pub name: String,
    /// 302 units in order of slots; kinds `electrical` (symmetric) and `chemical`, or those of the source.
    pub connectome: Connectome,
    /// Totals per kind.
    pub totals: Vec<KindTotals>,
    /// What was dropped or summed.
    pub ledger: Ledger,
}

/// The 302 units with class, transmitter (as area) and position.
pub fn units() -> Vec<Unit> {
    NEURONS
        .iter()
        .map(|n| Unit { position: Some(n.position_um), kind: Some(n.class.name().into()), ..Unit::named(n.name) })
        .collect()
}

fn sort_of(kind: &str) -> Sort {
    match kind.to_ascii_lowercase().as_str() {
        "electrical" | "gap" | "gj" | "ej" | "gapjunction" | "gap_junction" | "gap junction" | "electric" => Sort::Gap,
        "chemical" | "chem" | "cs" | "send" | "s" | "sp" | "synapse" | "" => Sort::Chemical,
        _ => Sort::Other,
    }
}

/// Puts a connectome on the 302 slots: names read as laboratories write them, cells without a slot dropped with a line
/// in the ledger, parallel edges summed, gap junctions symmetrised.
///
/// Fails on a connectome of a male (its common neurons are not those of the hermaphrodite), on a negative synapse
/// count, and where no unit has a slot.
pub fn homogenise(name: &str, source: &Connectome, symmetrise: Symmetrise) -> Result<Homogenised> {
    let readings: Vec<Reading> = source.units.iter().map(|u| read_name(&u.name)).collect();
    let male: Vec<&str> = source
        .units
        .iter()
        .zip(&readings)
        .filter(|(_, r)| **r == Reading::Male)
        .map(|(u, _)| u.name.as_str())
        .take(5)
        .collect();
    if !male.is_empty() {
        return Err(Error::input("a connectome of the hermaphrodite", format!("neurons of males only: {}", male.join(", ")))
            .at(name)
            .hint("remove the male neurons and everything that connects to them"));
    }
    if !readings.iter().any(|r| matches!(r, Reading::Slot(_))) {
        let seen: Vec<&str> = source.units.iter().map(|u| u.name.as_str()).take(5).collect();
        return Err(Error::input("at least 1 of the 302 neurons", format!("units {seen:?}, ...")).at(name));
    }
    let mut ledger = Ledger::default();
    for (unit, reading) in source.units.iter().zip(&readings) {
        match reading {
            Reading::Slot(_) => {}
            Reading::Unknown(near) if !near.is_empty() => {
                ledger.add(name, &unit.name, "dropped cell", format!("no neuron: did you mean {}?", near.join(" or ")), 1);
            }
            Reading::Ambiguous(m) => ledger.add(name, &unit.name, "dropped cell", format!("ambiguous name: one of {}", m.join(", ")), 1),
            Reading::Uncertain => ledger.add(name, &unit.name, "dropped cell", "uncertain name", 1),
            _ => ledger.add(name, &unit.name, "dropped cell", "no neuron", 1),
        }
    }
    let kinds: Vec<(String, Sort)> = source
        .kinds
        .iter()
        .map(|k| match sort_of(k) {
            Sort::Gap => ("electrical".into(), Sort::Gap),
            Sort::Chemical => ("chemical".into(), Sort::Chemical),
            Sort::Other => (k.clone(), Sort::Other),
        })
        .collect();
    // The result always has both anatomical kinds in the order of the paper's two edge attributes, if it has one.
    let mut order: Vec<(String, Sort)> = Vec::new();
    if kinds.iter().any(|k| k.1 != Sort::Other) {
        order = vec![("electrical".into(), Sort::Gap), ("chemical".into(), Sort::Chemical)];
    }
    for k in &kinds {
        if !order.contains(k) {
            order.push(k.clone());
        }
    }
    let place: Vec<usize> = kinds.iter().map(|k| order.iter().position(|o| o == k).unwrap_or(0)).collect();
    let mut sums: Vec<BTreeMap<(u32, u32), f64>> = vec![BTreeMap::new(); order.len()];
    let mut totals: Vec<(f64, f64, f64, usize)> = vec![(0.0, 0.0, 0.0, 0); order.len()];
    // Dropped weight per kind and the cell without a slot.
    let mut dropped: BTreeMap<(usize, &str), (usize, f64)> = BTreeMap::new();
    for e in source.edges() {
        let k = place[usize::from(e.kind)];
        let weight = f64::from(e.weight);
        let ends = [e.source as usize, e.target as usize];
        if weight < 0.0 && order[k].1 != Sort::Other {
            let [a, b] = ends.map(|i| source.units[i].name.as_str());
            return Err(Error::input("synapse counts of 0 or more", format!("{weight} from {a} to {b}"))
                .at(name)
                .hint("keep signs in a separate table of transmitters"));
        }
        totals[k].0 += weight;
        match ends.map(|i| &readings[i]) {
            [Reading::Slot(a), Reading::Slot(b)] => {
                totals[k].1 += weight;
                let sum = sums[k].entry((*a as u32, *b as u32));
                if matches!(sum, std::collections::btree_map::Entry::Occupied(_)) {
                    totals[k].3 += 1;
                }
                *sum.or_insert(0.0) += weight;
            }
            [first, _] => {
                totals[k].2 += weight;
                let cell = if matches!(first, Reading::Slot(_)) { ends[1] } else { ends[0] };
                let entry = dropped.entry((k, source.units[cell].name.as_str())).or_default();
                *entry = (entry.0 + 1, entry.1 + weight);
            }
        }
    }
    for ((k, cell), (count, weight)) in dropped {
        ledger.add_weight(name, cell, "dropped edges", format!("{}: an end without a slot", order[k].0), count, weight);
    }
    let mut edges = Vec::new();
    let mut out = Vec::new();
    for (k, ((kind, sort), sum)) in order.iter().zip(sums).enumerate() {
        if totals[k].3 > 0 {
            ledger.add(name, kind, "summed edges", "parallel edges", totals[k].3);
        }
        let (sum, asymmetric_pairs, asymmetry) = if *sort == Sort::Gap {
            let (symmetric, pairs, difference) = symmetrised(&sum, symmetrise);
            if pairs > 0 {
                ledger.add_weight(name, kind, "symmetrised pairs", "directions differ", pairs, difference);
            }
            (symmetric, pairs, if totals[k].1 > 0.0 { difference / totals[k].1 } else { 0.0 })
        } else {
            (sum, 0, 0.0)
        };
        out.push(KindTotals {
            kind: kind.clone(),
            source: totals[k].0,
            kept: totals[k].1,
            dropped: totals[k].2,
            edges: sum.len(),
            asymmetric_pairs,
            asymmetry,
        });
        edges.extend(sum.into_iter().map(|((source, target), w)| Edge {
            source,
            target,
            weight: w as f32,
            delay_ms: 0.0,
            kind: k as u8,
        }));
    }
    let connectome = Connectome::new(units(), order.into_iter().map(|k| k.0).collect(), edges)?;
    Ok(Homogenised { name: name.into(), connectome, totals: out, ledger })
}

type Pairs = BTreeMap<(u32, u32), f64>;

/// Both directions of every pair made equal; with the number of pairs that differed and by how much in all.
fn symmetrised(sum: &Pairs, how: Symmetrise) -> (Pairs, usize, f64) {
    let mut out = Pairs::new();
    let (mut pairs, mut difference) = (0, 0.0);
    for (&(a, b), &w) in sum {
        let back = sum.get(&(b, a)).copied().unwrap_or(0.0);
        if w != back && (a < b || !sum.contains_key(&(b, a))) {
            pairs += 1;
            difference += (w - back).abs();
        }
        let both = match how {
            Symmetrise::Max => w.max(back),
            Symmetrise::Sum if a == b => w,
            Symmetrise::Sum => w + back,
        };
        out.insert((a, b), both);
        out.insert((b, a), both);
    }
    (out, pairs, difference)
}

impl Homogenised {
    /// Largest relative difference between a kind's total in the source and kept plus dropped weight.
    pub fn imbalance(&self) -> f64 {
        let ledger: f64 = self.ledger.entries.iter().filter(|e| e.action == "dropped edges").map(|e| e.weight).sum();
        let all: (f64, f64) = self.totals.iter().fold((0.0, 0.0), |a, t| (a.0 + t.source, a.1 + t.kept));
        let by_kind = self.totals.iter().map(|t| (t.source - t.kept - t.dropped).abs() / t.source.abs().max(1.0));
        by_kind.fold((all.0 - all.1 - ledger).abs() / all.0.abs().max(1.0), f64::max)
    }

    /// Largest difference between the two directions of a gap junction.
    pub fn gap_asymmetry(&self) -> f64 {
        let n = NEURON_COUNT;
        let Some(k) = self.connectome.kinds.iter().position(|k| k == "electrical") else { return 0.0 };
        let w = self.connectome.dense(Some(k as u8));
        (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| (w[i * n + j] - w[j * n + i]).abs()).fold(0.0, f64::max)
    }

    /// Dense 302 x 302 matrix (source x target) of a kind, zero where there is none.
    pub fn dense(&self, kind: &str) -> Vec<f64> {
        match self.connectome.kinds.iter().position(|k| k == kind) {
            Some(k) => self.connectome.dense(Some(k as u8)),
            None => vec![0.0; NEURON_COUNT * NEURON_COUNT],
        }
    }
}

/// Divides each row by the larger of its sum and 1, so that rows sum to at most 1.
pub fn normalise_rows(matrix: &mut [f64], columns: usize) {
    for row in matrix.chunks_exact_mut(columns) {
        let sum = row.iter().sum::<f64>().max(1.0);
        for v in row {
            *v /= sum;
        }
    }
}

/// Mean weight over sources and number of sources with the edge, both 302 x 302, of one kind.
pub fn consensus(sources: &[&Homogenised], kind: &str) -> (Vec<f64>, Vec<f64>) {
    let n = NEURON_COUNT * NEURON_COUNT;
    let (mut mean, mut count) = (vec![0.0; n], vec![0.0; n]);
    for s in sources {
        for ((m, c), w) in mean.iter_mut().zip(&mut count).zip(s.dense(kind)) {
            *m += w / sources.len() as f64;
            *c += f64::from(u8::from(w != 0.0));
        }
    }
    (mean, count)
}

/// Files of one connectome: `connectomes/<name>.graphml`, `.csv` (edge list `pre, post, w_gap, w_chem`, or one weight
/// per other kind) and `.npz` (`adjacency` [302, 302, kinds] source x target, `kinds`, `neurons`, class, transmitter,
/// position). With `rows` every kind's rows are divided by the larger of their sum and 1.
pub fn files(h: &Homogenised, rows: bool) -> Result<Vec<(String, Vec<u8>)>> {
    let n = NEURON_COUNT;
    let kinds = &h.connectome.kinds;
    let mut matrices: Vec<Vec<f64>> = (0..kinds.len()).map(|k| h.connectome.dense(Some(k as u8))).collect();
    if rows {
        matrices.iter_mut().for_each(|m| normalise_rows(m, n));
    }
    let pairs: Vec<usize> = (0..n * n).filter(|&i| matrices.iter().any(|m| m[i] != 0.0)).collect();
    let name = |f: fn(usize) -> usize| Column::Text(pairs.iter().map(|&i| NEURONS[f(i)].name.to_string()).collect());
    let mut columns = vec![("pre".to_string(), name(|i| i / NEURON_COUNT)), ("post".to_string(), name(|i| i % NEURON_COUNT))];
    for (kind, m) in kinds.iter().zip(&matrices) {
        let title = match kind.as_str() {
            "electrical" => "w_gap".to_string(),
            "chemical" => "w_chem".to_string(),
            other => format!("w_{other}"),
        };
        columns.push((title, Column::Numbers(pairs.iter().map(|&i| m[i]).collect())));
    }
    let edges = Frame { columns, has_header: true };
    let mut tensor = vec![0.0_f32; n * n * kinds.len()];
    for (k, m) in matrices.iter().enumerate() {
        m.iter().enumerate().for_each(|(i, v)| tensor[i * kinds.len() + k] = *v as f32);
    }
    let positions: Vec<f32> = NEURONS.iter().flat_map(|n| n.position_um).collect();
    let strings = |f: fn(usize) -> &'static str| Value::Strings(vec![n], (0..n).map(|i| f(i).to_string()).collect());
    let arrays = vec![
        ("adjacency".to_string(), Value::Numbers(Array::from_f32(&[n, n, kinds.len()], &tensor)?)),
        ("kinds".into(), Value::Strings(vec![kinds.len()], kinds.clone())),
        ("neurons".into(), strings(|i| NEURONS[i].name)),
        ("node_type".into(), strings(|i| NEURONS[i].class.name())),
        ("transmitter".into(), strings(|i| NEURONS[i].transmitter)),
        ("position_um".into(), Value::Numbers(Array::from_f32(&[n, 3], &positions)?)),
    ];
    let stem = super::store::file_stem(&h.name);
    let graph = graphml::encode(&h.connectome).into_bytes();
    Ok(vec![
        (format!("connectomes/{stem}.graphml"), graph),
        (format!("connectomes/{stem}.csv"), csv::encode(&edges)?),
        (format!("connectomes/{stem}.npz"), npz::encode(&arrays)?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(names: &[&str], kinds: &[&str], edges: &[(u32, u32, f32, u8)]) -> Connectome {
        let edges = edges.iter().map(|&(source, target, weight, kind)| Edge { source, target, weight, delay_ms: 0.0, kind });
        let kinds = kinds.iter().map(ToString::to_string).collect();
        Connectome::new(names.iter().map(|n| Unit::named(*n)).collect(), kinds, edges.collect()).expect("valid")
    }

    #[test]
    fn names_are_read_duplicates_summed_and_muscles_accounted_for() {
        let names = ["VB02", "avaL", "MDL08", "VB2"];
        let edges = [(0, 1, 2.0, 0), (3, 1, 1.0, 0), (1, 2, 5.0, 0), (0, 1, 3.0, 1), (1, 0, 1.0, 1)];
        let h = homogenise("x", &graph(&names, &["chemical", "gap"], &edges), Symmetrise::Max).expect("fits");
        let chemical = &h.totals[1];
        assert_eq!((chemical.source, chemical.kept, chemical.dropped), (8.0, 3.0, 5.0));
        assert_eq!((h.totals[0].asymmetric_pairs, h.totals[0].asymmetry), (1, 0.5));
        assert_eq!((h.imbalance(), h.gap_asymmetry()), (0.0, 0.0));
        assert_eq!(h.ledger.count("dropped cell"), 1);
        let w = h.dense("electrical");
        assert_eq!(w.iter().sum::<f64>(), 6.0);
        let sum = homogenise("x", &graph(&names, &["chemical", "gap"], &edges), Symmetrise::Sum).expect("fits");
        assert_eq!(sum.dense("electrical").iter().sum::<f64>(), 8.0);
    }

    #[test]
    fn unfit_connectomes_are_refused() {
        let refused = |names: &[&str], weight: f32| {
            let e = homogenise("x", &graph(names, &["chemical"], &[(0, 1, weight, 0)]), Symmetrise::Max).expect_err("unfit");
            assert_eq!(e.exit_code(), 3);
            e.to_string()
        };
        assert!(refused(&["AVAL", "CEMDL"], 1.0).contains("CEMDL"));
        assert!(refused(&["AVAL", "AVAR"], -1.0).contains("-1"));
        assert!(refused(&["pm1", "pm2"], 1.0).contains("302"));
    }

    #[test]
    fn rows_sum_to_one_or_zero() {
        let mut m = vec![2.0, 2.0, 0.0, 0.0];
        normalise_rows(&mut m, 2);
        assert_eq!(m, [0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn the_embedded_ones_balance() {
        for (name, c) in neuropil_data::embedded::celegans_connectomes().expect("embedded") {
            let h = homogenise(&name, &c, Symmetrise::Max).expect("fits");
            // Counts are whole numbers; means of the functional atlas round in the last place.
            assert!(h.imbalance() < 1e-12 && h.gap_asymmetry() == 0.0, "{name}");
            let mut w = h.dense("chemical");
            normalise_rows(&mut w, NEURON_COUNT);
            assert!(w.chunks_exact(NEURON_COUNT).all(|r| {
                let s: f64 = r.iter().sum();
                s == 0.0 || (s - 1.0).abs() < 1e-12
            }));
        }
    }
}
