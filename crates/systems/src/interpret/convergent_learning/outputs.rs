//! Files that a run leaves: matches, maps, clusters and a summary.

use super::experiment::LayerResult;
use super::resampling::interval;
use neuropil_core::{Array, Result};
use neuropil_data::formats::npy::Value;
use neuropil_data::formats::npz;
use neuropil_experiment::Run;
use neuropil_math::statistics::mean;
use serde_json::json;
use std::fmt::Write as _;

/// `matches.csv`, `clusters.csv`, `mapping.npz` and `summary.json` of all layers and pairs.
pub(super) fn save(run: &mut Run, layers: &[LayerResult]) -> Result<()> {
    run.artifact("matches.csv", matches(layers).as_bytes())?;
    run.artifact("clusters.csv", clusters(layers).as_bytes())?;
    run.artifact("mapping.npz", &mapping(layers)?)?;
    let summary = serde_json::to_string_pretty(&summary(layers)).unwrap_or_default();
    run.artifact("summary.json", summary.as_bytes())
}

/// A cell of a CSV table, quoted where it has to be.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

/// A number of a CSV table; empty where there is none.
fn number(v: f64) -> String {
    if v.is_finite() { format!("{v:.6}") } else { String::new() }
}

fn matches(layers: &[LayerResult]) -> String {
    let mut out = String::from(
        "layer,first,second,unit_first,unit_second,r_bipartite,r_low,r_high,unit_second_semi,r_semi,gap,\
         unit_second_information,bits\n",
    );
    for l in layers {
        for (k, (c, _)) in l.compared.iter().enumerate() {
            let (a, b) = (&l.members[c.first], &l.members[c.second]);
            let m = &c.matching;
            for (i, unit) in a.units.iter().enumerate() {
                let drawn: Vec<f64> = l.resamples.iter().map(|r| r.partners[k][i]).collect();
                let (low, high) = interval(&drawn);
                let name = |j: Option<usize>| j.map_or(String::new(), |j| cell(&b.units[j]));
                let (partner, bits) = match &c.information {
                    Some(f) => (name(f.matching.bipartite[i]), number(f.matching.bipartite_value[i])),
                    None => (String::new(), String::new()),
                };
                let _ = writeln!(
                    out,
                    "{},{},{},{},{},{},{},{},{},{},{},{partner},{bits}",
                    cell(&l.name),
                    cell(&a.name),
                    cell(&b.name),
                    cell(unit),
                    name(m.bipartite[i]),
                    number(m.bipartite_value[i]),
                    number(low),
                    number(high),
                    name(Some(m.semi[i])),
                    number(m.semi_value[i]),
                    number(m.semi_value[i] - m.bipartite_value[i]),
                );
            }
            // Units of the second that no unit of the first is left for.
            for (_, unit) in b.units.iter().enumerate().filter(|(j, _)| !m.bipartite.contains(&Some(*j))) {
                let head = [&l.name, &a.name, &b.name].map(|t| cell(t)).join(",");
                let _ = writeln!(out, "{head},,{},,,,,,,,", cell(unit));
            }
        }
    }
    out
}

fn clusters(layers: &[LayerResult]) -> String {
    let mut out = String::from("layer,first,second,cluster,network,unit,leaf,agreement,mean_r_between,mean_r_within\n");
    for l in layers {
        for (c, _) in &l.compared {
            let (a, b) = (&l.members[c.first], &l.members[c.second]);
            let n1 = a.units.len();
            let mut leaf = vec![0; n1 + b.units.len()];
            c.clusters.tree.leaves().iter().enumerate().for_each(|(k, &u)| leaf[u] = k);
            for (k, cluster) in c.clusters.clusters.iter().enumerate() {
                let members = cluster.first.iter().map(|&u| (a, u, u)).chain(cluster.second.iter().map(|&u| (b, u, n1 + u)));
                for (of, u, node) in members {
                    let _ = writeln!(
                        out,
                        "{},{},{},{k},{},{},{},{},{},{}",
                        cell(&l.name),
                        cell(&a.name),
                        cell(&b.name),
                        cell(&of.name),
                        cell(&of.units[u]),
                        leaf[node],
                        number(cluster.agreement),
                        number(cluster.between),
                        number(cluster.within),
                    );
                }
            }
        }
    }
    out
}

/// A name inside an archive.
fn key(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}

/// Standardised weights at the operating point in SciPy's CSR form, targets x predictors: `data`, `indices`, `indptr`,
/// `shape`, and the `lambda`.
fn mapping(layers: &[LayerResult]) -> Result<Vec<u8>> {
    let mut values = Vec::new();
    for l in layers {
        for (c, _) in &l.compared {
            let (mut data, mut indices, mut starts) = (Vec::new(), Vec::new(), vec![0_i32]);
            let w = &c.mapping.weights;
            for t in 0..w.cols() {
                for i in (0..w.rows()).filter(|&i| w[(i, t)] != 0.0) {
                    data.push(w[(i, t)]);
                    indices.push(i as i32);
                }
                starts.push(data.len() as i32);
            }
            let stem = [&l.name, &l.members[c.first].name, &l.members[c.second].name].map(|t| key(t)).join(".");
            let mut put = |name: &str, array: Array| values.push((format!("{stem}.{name}"), Value::Numbers(array)));
            put("data", Array::from_f64(&[data.len()], &data)?);
            put("indices", Array::from_i32(&[indices.len()], &indices)?);
            put("indptr", Array::from_i32(&[starts.len()], &starts)?);
            put("shape", Array::from_i32(&[2], &[w.cols() as i32, w.rows() as i32])?);
            put("lambda", Array::from_f64(&[1], &[c.mapping.operating().lambda])?);
        }
    }
    npz::encode(&values)
}

fn summary(layers: &[LayerResult]) -> serde_json::Value {
    let finite = |v: f64| if v.is_finite() { json!(v) } else { serde_json::Value::Null };
    let pair = |l: &LayerResult, k: usize| {
        let (c, _) = &l.compared[k];
        let m = &c.mapping;
        let left = |units: usize| units.saturating_sub(c.matching.sorted().len());
        let names = [&l.members[c.first], &l.members[c.second]];
        json!({
            "first": names[0].name,
            "second": names[1].name,
            "live_units": [names[0].live.len(), names[1].live.len()],
            "dead_units": names.map(|n| n.all - n.live.len()),
            "unmatched_units": names.map(|n| left(n.live.len())),
            "mean_r_bipartite": finite(c.matching.mean()),
            "mean_r_semi": finite(mean(&c.matching.semi_value)),
            "same_partner_by_information": c.information.as_ref().map(|i| i.agreement),
            "lambda": m.operating().lambda,
            "r2_dense": finite(m.dense()),
            "r2_sparse": finite(m.operating().explained),
            "units_per_target": m.operating().units,
            "r2_best_single_unit": finite(m.single),
            "clusters": c.clusters.clusters.len(),
            "cluster_agreement": finite(c.clusters.agreement),
            "random_cluster_agreement": finite(c.clusters.random_agreement),
            "linear_cka": finite(c.cka),
            "mean_cca": finite(c.cca),
        })
    };
    let layer = |l: &LayerResult| {
        let (low, high) = interval(&l.resampled(|s| s.matched));
        let shuffled = l.nulls.as_ref().map(|n| mean(&n.shuffled));
        let pairs: Vec<serde_json::Value> = (0..l.compared.len()).map(|k| pair(l, k)).collect();
        json!({
            "layer": l.name,
            "mean_r_bipartite": finite(l.matched()),
            "interval": [finite(low), finite(high)],
            "mean_r_shuffled": shuffled,
            "pairs": pairs,
        })
    };
    json!({ "layers": layers.iter().map(layer).collect::<Vec<_>>() })
}
