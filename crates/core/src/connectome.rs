//! Directed weighted graphs of units.

use crate::recording::{Unit, field};
use crate::store::{Noun, Store};
use crate::{Array, Error, Result};
use serde_json::json;

/// One directed connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// Presynaptic unit.
    pub source: u32,
    /// Postsynaptic unit.
    pub target: u32,
    /// Signed strength (synapse count, conductance or current; see the system).
    pub weight: f32,
    /// Delay in ms; 0 where unknown.
    pub delay_ms: f32,
    /// Index into [`Connectome::kinds`].
    pub kind: u8,
}

/// A graph in compressed rows by source; parallel edges of different kinds are kept apart.
///
/// File form, kind `connectome`: arrays `offsets` u64 [units + 1], `targets` u32, `weights` f32, `delays_ms` f32,
/// `kinds` u8 \[edges\]; metadata `units`, `kinds`.
#[derive(Debug, Clone, PartialEq)]
pub struct Connectome {
    /// The unit table.
    pub units: Vec<Unit>,
    /// Names of the synapse kinds, such as `chemical` and `electrical`.
    pub kinds: Vec<String>,
    offsets: Vec<usize>,
    edges: Vec<Edge>,
}

impl Connectome {
    /// Sorts the edges by source, target and kind; fails on an index out of range or a non-finite weight or delay.
    pub fn new(units: Vec<Unit>, kinds: Vec<String>, mut edges: Vec<Edge>) -> Result<Self> {
        let n = units.len();
        for e in &edges {
            if e.source as usize >= n || e.target as usize >= n {
                return Err(Error::input(
                    format!("units below {n}"),
                    format!("edge {} -> {}", e.source, e.target),
                ));
            }
            if usize::from(e.kind) >= kinds.len() {
                return Err(Error::input(format!("synapse kinds below {}", kinds.len()), e.kind.to_string()));
            }
            if !(e.weight.is_finite() && e.delay_ms.is_finite() && e.delay_ms >= 0.0) {
                return Err(Error::input(
                    "finite weights and non-negative delays",
                    format!(
                        "weight {}, delay {} ms on edge {} -> {}",
                        e.weight, e.delay_ms, e.source, e.target
                    ),
                ));
            }
        }
        edges.sort_by_key(|e| (e.source, e.target, e.kind));
        let mut offsets = vec![0; n + 1];
        for e in &edges {
            offsets[e.source as usize + 1] += 1;
        }
        for i in 0..n {
            offsets[i + 1] += offsets[i];
        }
        Ok(Self { units, kinds, offsets, edges })
    }

    /// Number of units.
    pub fn unit_count(&self) -> usize {
        self.units.len()
    }

    /// All edges, sorted by source, target and kind.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The outgoing edges of a unit.
    pub fn outgoing(&self, source: usize) -> &[Edge] {
        &self.edges[self.offsets[source]..self.offsets[source + 1]]
    }

    /// Edge numbers ordered by target (compressed columns): offsets [units + 1] and edge numbers.
    pub fn by_target(&self) -> (Vec<usize>, Vec<usize>) {
        let n = self.units.len();
        let mut offsets = vec![0; n + 1];
        for e in &self.edges {
            offsets[e.target as usize + 1] += 1;
        }
        for i in 0..n {
            offsets[i + 1] += offsets[i];
        }
        let mut next = offsets.clone();
        let mut order = vec![0; self.edges.len()];
        for (i, e) in self.edges.iter().enumerate() {
            order[next[e.target as usize]] = i;
            next[e.target as usize] += 1;
        }
        (offsets, order)
    }

    /// The dense weight matrix (source x target, row-major) of one kind, or of all kinds summed.
    pub fn dense(&self, kind: Option<u8>) -> Vec<f64> {
        let n = self.units.len();
        let mut w = vec![0.0; n * n];
        for e in self.edges.iter().filter(|e| kind.is_none_or(|k| k == e.kind)) {
            w[e.source as usize * n + e.target as usize] += f64::from(e.weight);
        }
        w
    }
}

impl Noun for Connectome {
    const KIND: &'static str = "connectome";

    fn to_store(&self) -> Result<Store> {
        let m = self.edges.len();
        let offsets: Vec<u64> = self.offsets.iter().map(|&o| o as u64).collect();
        let mut store = Store::new(Self::KIND);
        store.push("offsets", Array::from_u64(&[offsets.len()], &offsets)?);
        store.push(
            "targets",
            Array::from_u32(&[m], &self.edges.iter().map(|e| e.target).collect::<Vec<_>>())?,
        );
        store.push(
            "weights",
            Array::from_f32(&[m], &self.edges.iter().map(|e| e.weight).collect::<Vec<_>>())?,
        );
        store.push(
            "delays_ms",
            Array::from_f32(&[m], &self.edges.iter().map(|e| e.delay_ms).collect::<Vec<_>>())?,
        );
        store.push("kinds", Array::from_u8(&[m], &self.edges.iter().map(|e| e.kind).collect::<Vec<_>>())?);
        store.meta.insert("units".into(), json!(self.units));
        store.meta.insert("kinds".into(), json!(self.kinds));
        Ok(store)
    }

    fn from_store(store: &Store) -> Result<Self> {
        let units: Vec<Unit> = field(store, "units")?;
        let offsets = store.require("offsets")?.to_indices()?;
        let targets = store.require("targets")?.to_indices()?;
        let weights = store.require("weights")?.to_f32();
        let delays = store.require("delays_ms")?.to_f32();
        let kinds = store.require("kinds")?.to_indices()?;
        let m = targets.len();
        let fits = offsets.len() == units.len() + 1
            && offsets[0] == 0
            && offsets[units.len()] == m
            && offsets.windows(2).all(|w| w[0] <= w[1])
            && [weights.len(), delays.len(), kinds.len()] == [m; 3];
        if !fits {
            return Err(Error::input("row offsets from 0 to the number of edges", "arrays that disagree"));
        }
        let mut edges = Vec::with_capacity(m);
        for (source, w) in offsets.windows(2).enumerate() {
            for i in w[0]..w[1] {
                edges.push(Edge {
                    source: source as u32,
                    target: u32::try_from(targets[i]).unwrap_or(u32::MAX),
                    weight: weights[i],
                    delay_ms: delays[i],
                    kind: u8::try_from(kinds[i]).unwrap_or(u8::MAX),
                });
            }
        }
        Self::new(units, field(store, "kinds")?, edges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_columns_and_file_form_agree() -> Result<()> {
        let edge = |source, target, weight| Edge { source, target, weight, delay_ms: 1.0, kind: 0 };
        let units = (0..3).map(|i| Unit::named(i.to_string())).collect();
        let c = Connectome::new(
            units,
            vec!["chemical".into()],
            vec![edge(2, 0, 3.0), edge(0, 1, 1.0), edge(0, 2, -2.0)],
        )?;
        assert_eq!(c.outgoing(0).len(), 2);
        assert_eq!(c.dense(None)[2], -2.0);
        let (offsets, order) = c.by_target();
        assert_eq!((offsets, order), (vec![0, 1, 2, 3], vec![2, 0, 1]));
        assert_eq!(Connectome::from_store(&c.to_store()?)?, c);
        Ok(())
    }
}
