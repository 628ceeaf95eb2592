//! Connectomes.

use super::{listed, store, unpacked};
use crate::formats::{graphml::KindTable, json};
use neuropil_core::connectome::Edge;
use neuropil_core::{Connectome, Error, Result, Unit};
use serde_json::Value;

/// All C. elegans connectomes, each on its own node names, in this order: `cook2019`, `white1986`,
/// `witvliet2021_1` to `_8` (birth to adult), `randi2023_functional`, `bentley2016_monoamine`, `bentley2016_peptide`.
///
/// Weights are numbers of synapses (Cook: of electron microscope sections), for the functional atlas the mean response.
/// Kinds: `chemical`, `electrical` (both directions listed as in the source), the transmitter, or `functional`.
pub fn celegans_connectomes() -> Result<Vec<(String, Connectome)>> {
    let tables = store("celegans/connectomes_coo.safetensors.gz")?;
    let Value::Object(sets) = json::parse(&unpacked("celegans/node_names.json.gz")?)? else {
        return Err(Error::Internal("node names are not an object".into()));
    };
    sets.into_iter()
        .map(|(set, names)| {
            let names: Vec<String> =
                serde_json::from_value(names).map_err(|e| Error::Internal(e.to_string()))?;
            let mut kinds = KindTable::default();
            let mut edges = Vec::new();
            for (key, weights) in &tables.arrays {
                let Some(kind) = key.strip_prefix(&format!("{set}.")).and_then(|k| k.strip_suffix(".w"))
                else {
                    continue;
                };
                let title = match kind {
                    "cs" => "chemical",
                    "gj" => "electrical",
                    other => other,
                };
                let number = kinds.number(title)?;
                let ends = tables.require(&format!("{set}.{kind}.ij"))?.to_indices()?;
                for (ij, &weight) in ends.chunks_exact(2).zip(&weights.to_f32()) {
                    edges.push(Edge {
                        source: ij[0] as u32,
                        target: ij[1] as u32,
                        weight,
                        delay_ms: 0.0,
                        kind: number,
                    });
                }
            }
            let connectome = Connectome::new(names.iter().map(Unit::named).collect(), kinds.names, edges)?;
            Ok((set, connectome))
        })
        .collect()
}

/// One C. elegans connectome by name; see [`celegans_connectomes`].
pub fn celegans(name: &str) -> Result<Connectome> {
    let all = celegans_connectomes()?;
    let names: Vec<String> = all.iter().map(|(n, _)| n.clone()).collect();
    all.into_iter()
        .find_map(|(n, c)| (n == name).then_some(c))
        .ok_or_else(|| Error::config(format!("one of {}", names.join(", ")), format!("`{name}`")))
}

/// Hemisphere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// 209 neurons.
    Left,
    /// 213 neurons.
    Right,
}

/// The mushroom body of the larval fly (Eichler 2017): synapse counts between Kenyon cells (`K`), projection neurons
/// (`P`), output neurons (`O`) and modulatory inputs (`I`); the letter is the unit's kind.
pub fn larval_mushroom_body(side: Side) -> Result<Connectome> {
    let name = match side {
        Side::Left => "left",
        Side::Right => "right",
    };
    let s = store(&format!("fly/larva_mushroom_body_{name}.safetensors.gz"))?;
    let kinds = listed(&s, "labels");
    let weights = s.require("adjacency")?.to_f32();
    let n = kinds.len();
    let units = kinds
        .iter()
        .enumerate()
        .map(|(i, k)| Unit { kind: Some(k.clone()), ..Unit::named(format!("{k}{i}")) });
    let edges = weights.iter().enumerate().filter(|(_, w)| **w != 0.0).map(|(i, &weight)| Edge {
        source: (i / n) as u32,
        target: (i % n) as u32,
        weight,
        delay_ms: 0.0,
        kind: 0,
    });
    Connectome::new(units.collect(), vec!["chemical".into()], edges.collect())
}

/// The published description of the fly visual system as it is: nodes (cell types), edges with their spatial offsets,
/// input and output units (Lappalainen 2024).
pub fn fly_visual_system() -> Result<Value> {
    json::parse(&unpacked("fly/flyvis_connectome.json.gz")?)
}

/// The fly visual system as a graph of cell types: the weight is the sign times the synapses summed over all offsets.
pub fn fly_visual_types() -> Result<Connectome> {
    let system = fly_visual_system()?;
    let list = |key: &str| system[key].as_array().cloned().unwrap_or_default();
    let names: Vec<String> =
        list("nodes").iter().filter_map(|n| n["name"].as_str().map(String::from)).collect();
    let find = |v: &Value| {
        let place = names.iter().position(|n| Some(n.as_str()) == v.as_str());
        place.map(|p| p as u32).ok_or_else(|| Error::Internal(format!("no cell type {v}")))
    };
    let edges = list("edges")
        .iter()
        .map(|e| {
            let counts = e["offsets"].as_array().cloned().unwrap_or_default();
            let synapses: f64 = counts.iter().filter_map(|o| o[1].as_f64()).sum();
            let weight = (synapses * e["alpha"].as_f64().unwrap_or(1.0)) as f32;
            Ok(Edge { source: find(&e["src"])?, target: find(&e["tar"])?, weight, delay_ms: 0.0, kind: 0 })
        })
        .collect::<Result<Vec<_>>>()?;
    Connectome::new(names.iter().map(Unit::named).collect(), vec!["chemical".into()], edges)
}
