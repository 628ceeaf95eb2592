//! Communities of weighted graphs: modularity, the Louvain method, degree-preserving null models.
//!
//! Modularity of a partition (Newman and Girvan 2004; directed form Leicht and Newman 2008), with resolution gamma:
//!
//! ```text
//! undirected  Q = sum_c [ L_c / m - gamma (k_c / 2m)^2 ]
//! directed    Q = sum_c [ L_c / m - gamma kout_c kin_c / m^2 ]
//! ```
//!
//! L_c is the weight inside community c, m the total weight, k the strengths. Both are one case here: an undirected
//! edge is two arcs, an undirected self-loop one arc of twice its weight.

use neuropil_core::{Connectome, Error, Result, Stream, Streams};
use rayon::prelude::*;
use std::collections::HashSet;

/// A graph with non-negative weights; parallel edges are summed.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    nodes: usize,
    directed: bool,
    /// Sorted; undirected edges have source <= target.
    edges: Vec<(u32, u32, f64)>,
}

/// A partition of the nodes of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Communities {
    /// Community of each node: 0, 1, ... in the order of first appearance.
    pub labels: Vec<usize>,
    /// Number of communities.
    pub count: usize,
    /// Modularity Q of the partition.
    pub modularity: f64,
}

/// Modularity of a graph beside that of its degree-preserving rewirings.
#[derive(Debug, Clone, PartialEq)]
pub struct NullComparison {
    /// The partition found in the graph itself.
    pub communities: Communities,
    /// Modularity of the best partition of each rewired graph.
    pub null: Vec<f64>,
    /// (Q - mean of null) / standard deviation of null; NaN where the null does not vary.
    pub z: f64,
    /// One-sided Monte-Carlo p: (1 + number of null values >= Q) / (1 + number of null values).
    pub p: f64,
}

impl Graph {
    /// A graph from (source, target, weight) triples; weights of parallel edges add up and zero weights vanish.
    ///
    /// # Errors
    /// Input error on a node out of range, a negative or non-finite weight, or more than 2^32 - 1 nodes.
    pub fn new(
        nodes: usize,
        directed: bool,
        edges: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> Result<Self> {
        if u32::try_from(nodes).is_err() {
            return Err(Error::input("fewer than 2^32 nodes", nodes.to_string()));
        }
        let mut list = Vec::new();
        for (a, b, w) in edges {
            if a >= nodes || b >= nodes {
                return Err(Error::input(format!("nodes below {nodes}"), format!("edge {a} -> {b}")));
            }
            if !(w.is_finite() && w >= 0.0) {
                return Err(Error::input("finite non-negative weights", format!("{w} on edge {a} -> {b}"))
                    .hint(
                        "modularity is defined for non-negative weights; take absolute values or a threshold",
                    ));
            }
            let (a, b) = if directed || a <= b { (a, b) } else { (b, a) };
            if w > 0.0 {
                list.push((a as u32, b as u32, w));
            }
        }
        sum_parallel(&mut list);
        Ok(Self { nodes, directed, edges: list })
    }

    /// The graph of a connectome over all synapse kinds, with the absolute weights: sign is physiology, not proximity.
    pub fn of_connectome(connectome: &Connectome, directed: bool) -> Result<Self> {
        let edges = connectome.edges().iter();
        let edges = edges.map(|e| (e.source as usize, e.target as usize, f64::from(e.weight.abs())));
        Self::new(connectome.unit_count(), directed, edges)
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Whether edges have a direction.
    pub fn directed(&self) -> bool {
        self.directed
    }

    /// Merged edges (source, target, weight), sorted; undirected ones once, with source <= target.
    pub fn edges(&self) -> &[(u32, u32, f64)] {
        &self.edges
    }

    /// Number of outgoing and incoming edges of every node. For an undirected graph both hold the degree, in which a
    /// self-loop counts twice.
    pub fn degrees(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut out, mut inn) = (vec![0; self.nodes], vec![0; self.nodes]);
        for &(a, b, _) in &self.edges {
            out[a as usize] += 1;
            inn[b as usize] += 1;
        }
        if !self.directed {
            for (o, i) in out.iter_mut().zip(&mut inn) {
                *o += *i;
                *i = *o;
            }
        }
        (out, inn)
    }

    /// The same in- and out-degree of every node with random partners: `swaps_per_edge` x edges accepted swaps of the
    /// targets of two edges (Maslov and Sneppen 2002). A swap that would make a self-loop or a second edge between the
    /// same nodes is refused, self-loops stay where they are, a weight stays with the source of its edge. Returns the
    /// graph and the number of accepted swaps, which is smaller than asked where the degrees allow few (a star: none).
    pub fn rewired(&self, swaps_per_edge: usize, stream: &mut Stream) -> (Self, usize) {
        let key = |a: u32, b: u32| {
            let (a, b) = if self.directed || a <= b { (a, b) } else { (b, a) };
            (u64::from(a) << 32) | u64::from(b)
        };
        let mut edges = self.edges.clone();
        let mut present: HashSet<u64> = edges.iter().map(|&(a, b, _)| key(a, b)).collect();
        let movable: Vec<usize> = (0..edges.len()).filter(|&e| edges[e].0 != edges[e].1).collect();
        let wanted = swaps_per_edge.saturating_mul(movable.len());
        let mut accepted = 0;
        for _ in 0..wanted.saturating_mul(20) {
            if accepted == wanted || movable.len() < 2 {
                break;
            }
            let (e, f) = (movable[stream.below(movable.len())], movable[stream.below(movable.len())]);
            let (a, b, w) = edges[e];
            let (mut c, mut d, v) = edges[f];
            // Without directions, both ways of pairing the four ends must be reachable.
            if !self.directed && stream.bernoulli(0.5) {
                (c, d) = (d, c);
            }
            if e == f || a == d || c == b || present.contains(&key(a, d)) || present.contains(&key(c, b)) {
                continue;
            }
            present.remove(&key(a, b));
            present.remove(&key(c, d));
            present.insert(key(a, d));
            present.insert(key(c, b));
            edges[e] = (a, d, w);
            edges[f] = (c, b, v);
            accepted += 1;
        }
        if !self.directed {
            for edge in &mut edges {
                if edge.0 > edge.1 {
                    *edge = (edge.1, edge.0, edge.2);
                }
            }
        }
        edges.sort_by_key(|&(a, b, _)| (a, b));
        (Self { nodes: self.nodes, directed: self.directed, edges }, accepted)
    }

    fn arcs(&self) -> Vec<(u32, u32, f64)> {
        if self.directed {
            return self.edges.clone();
        }
        let both = self.edges.iter().flat_map(|&(a, b, w)| [(a, b, w), (b, a, w)]);
        both.collect()
    }

    fn check(&self, resolution: f64) -> Result<()> {
        if !(resolution.is_finite() && resolution >= 0.0) {
            return Err(
                Error::config("a finite non-negative resolution", resolution.to_string()).at("resolution")
            );
        }
        if self.edges.is_empty() {
            return Err(Error::input("at least one edge of positive weight", "none"));
        }
        Ok(())
    }
}

/// Modularity Q of a partition given as one label per node (any numbers).
///
/// # Errors
/// Input error where the number of labels is not the number of nodes, or the graph has no edge.
pub fn modularity(graph: &Graph, labels: &[usize], resolution: f64) -> Result<f64> {
    graph.check(resolution)?;
    if labels.len() != graph.nodes {
        return Err(Error::input(
            format!("{} labels, one per node", graph.nodes),
            format!("{} labels", labels.len()),
        ));
    }
    let (labels, count) = compact(labels);
    Ok(level_modularity(&Level::new(graph.nodes, &graph.arcs()), &labels, count, resolution))
}

/// The Louvain method (Blondel et al. 2008): move nodes to the neighbouring community of largest gain, in a random but
/// seeded order, until nothing moves; then the communities become the nodes. When the hierarchy is complete, single
/// nodes may move again and it is rebuilt from there (Rotta and Noack 2011), until that gains nothing. Ties keep the
/// node where it is, else go to the community met first.
///
/// # Errors
/// Input error where the graph has no edge; config error on a negative resolution.
pub fn louvain(graph: &Graph, resolution: f64, stream: &mut Stream) -> Result<Communities> {
    graph.check(resolution)?;
    let finest = Level::new(graph.nodes, &graph.arcs());
    let mut labels: Vec<usize> = (0..graph.nodes).collect();
    loop {
        let (moved, communities, count) = local_moves(&finest, labels, resolution, stream);
        labels = communities;
        if !moved {
            let modularity = level_modularity(&finest, &labels, count, resolution);
            return Ok(Communities { labels, count, modularity });
        }
        let (mut arcs, mut nodes) = (merged(graph.arcs(), &labels), count);
        loop {
            let level = Level::new(nodes, &arcs);
            let (moved, communities, count) = local_moves(&level, (0..nodes).collect(), resolution, stream);
            if !moved {
                break;
            }
            labels = labels.iter().map(|&l| communities[l]).collect();
            (arcs, nodes) = (merged(arcs, &communities), count);
        }
    }
}

/// The arcs between communities, with those inside as self-loops.
fn merged(mut arcs: Vec<(u32, u32, f64)>, labels: &[usize]) -> Vec<(u32, u32, f64)> {
    for (a, b, _) in &mut arcs {
        (*a, *b) = (labels[*a as usize] as u32, labels[*b as usize] as u32);
    }
    sum_parallel(&mut arcs);
    arcs
}

/// Sorts and sums parallel edges; stable, so that they are summed in the order given.
fn sum_parallel(edges: &mut Vec<(u32, u32, f64)>) {
    edges.sort_by_key(|&(a, b, _)| (a, b));
    edges.dedup_by(|next, kept| {
        let same = (next.0, next.1) == (kept.0, kept.1);
        if same {
            kept.2 += next.2;
        }
        same
    });
}

/// The best (largest Q) of `restarts` Louvain runs with streams (`louvain`, 0..restarts); the earliest of equals.
pub fn louvain_best(
    graph: &Graph,
    resolution: f64,
    restarts: usize,
    streams: Streams,
) -> Result<Communities> {
    let runs: Vec<Communities> = (0..restarts.max(1) as u64)
        .into_par_iter()
        .map(|k| louvain(graph, resolution, &mut streams.stream("louvain", k)))
        .collect::<Result<_>>()?;
    runs.into_iter()
        .reduce(|best, next| if next.modularity > best.modularity { next } else { best })
        .ok_or_else(|| Error::Internal("no Louvain run".into()))
}

/// Louvain on the graph and on `nulls` degree-preserving rewirings (10 accepted swaps per edge each), all with
/// `restarts` runs.
pub fn against_rewiring(
    graph: &Graph,
    resolution: f64,
    restarts: usize,
    nulls: usize,
    streams: Streams,
) -> Result<NullComparison> {
    let communities = louvain_best(graph, resolution, restarts, streams)?;
    let null: Vec<f64> = (0..nulls as u64)
        .into_par_iter()
        .map(|k| {
            let (random, _) = graph.rewired(10, &mut streams.stream("rewiring", k));
            louvain_best(&random, resolution, restarts, streams.replicate(k + 1)).map(|c| c.modularity)
        })
        .collect::<Result<_>>()?;
    let n = null.len() as f64;
    let mean = null.iter().sum::<f64>() / n;
    let sd = (null.iter().map(|q| (q - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let reached = null.iter().filter(|&&q| q >= communities.modularity).count() as f64;
    let z = if sd > 0.0 { (communities.modularity - mean) / sd } else { f64::NAN };
    Ok(NullComparison { communities, null, z, p: (1.0 + reached) / (1.0 + n) })
}

/// One level of the hierarchy: per node its strengths and, without the self-loop, the arcs in both directions.
struct Level {
    offsets: Vec<usize>,
    neighbours: Vec<u32>,
    pull: Vec<f64>,
    out: Vec<f64>,
    inn: Vec<f64>,
    within: Vec<(u32, u32, f64)>,
    total: f64,
}

impl Level {
    fn new(nodes: usize, arcs: &[(u32, u32, f64)]) -> Self {
        let (mut out, mut inn) = (vec![0.0; nodes], vec![0.0; nodes]);
        let mut offsets = vec![0; nodes + 1];
        for &(a, b, w) in arcs {
            out[a as usize] += w;
            inn[b as usize] += w;
            if a != b {
                offsets[a as usize + 1] += 1;
                offsets[b as usize + 1] += 1;
            }
        }
        for i in 0..nodes {
            offsets[i + 1] += offsets[i];
        }
        let mut next = offsets.clone();
        let mut neighbours = vec![0; offsets[nodes]];
        let mut pull = vec![0.0; offsets[nodes]];
        for &(a, b, w) in arcs.iter().filter(|(a, b, _)| a != b) {
            for (from, to) in [(a, b), (b, a)] {
                neighbours[next[from as usize]] = to;
                pull[next[from as usize]] = w;
                next[from as usize] += 1;
            }
        }
        let total = arcs.iter().map(|a| a.2).sum();
        Self { offsets, neighbours, pull, out, inn, within: arcs.to_vec(), total }
    }
}

fn level_modularity(level: &Level, labels: &[usize], count: usize, resolution: f64) -> f64 {
    let (mut inside, mut out, mut inn) = (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
    for &(a, b, w) in &level.within {
        if labels[a as usize] == labels[b as usize] {
            inside[labels[a as usize]] += w;
        }
    }
    for (i, &c) in labels.iter().enumerate() {
        out[c] += level.out[i];
        inn[c] += level.inn[i];
    }
    let m = level.total;
    (0..count).map(|c| inside[c] / m - resolution * (out[c] / m) * (inn[c] / m)).sum()
}

/// Moves single nodes from the partition `labels` (all below the number of nodes) until nothing gains; returns whether
/// anything moved, the communities (compact) and their number.
fn local_moves(
    level: &Level,
    mut labels: Vec<usize>,
    resolution: f64,
    stream: &mut Stream,
) -> (bool, Vec<usize>, usize) {
    // Below this a gain in Q is rounding, and accepting it could cycle.
    const NOISE: f64 = 1e-13;
    let n = level.out.len();
    let m = level.total;
    let (mut out, mut inn) = (vec![0.0; n], vec![0.0; n]);
    for (i, &c) in labels.iter().enumerate() {
        out[c] += level.out[i];
        inn[c] += level.inn[i];
    }
    let order = stream.permutation(n);
    let mut pull = vec![0.0; n];
    let mut met: Vec<usize> = Vec::new();
    let mut seen = vec![false; n];
    let mut moved_ever = false;
    loop {
        let mut moved = false;
        for &i in &order {
            let home = labels[i];
            for k in level.offsets[i]..level.offsets[i + 1] {
                let c = labels[level.neighbours[k] as usize];
                if !seen[c] {
                    seen[c] = true;
                    met.push(c);
                }
                pull[c] += level.pull[k];
            }
            out[home] -= level.out[i];
            inn[home] -= level.inn[i];
            let gain =
                |c: usize| (pull[c] - resolution * (level.out[i] * inn[c] + level.inn[i] * out[c]) / m) / m;
            let (mut best, mut best_gain) = (home, gain(home));
            for &c in &met {
                let g = gain(c);
                if g > best_gain + NOISE {
                    (best, best_gain) = (c, g);
                }
            }
            out[best] += level.out[i];
            inn[best] += level.inn[i];
            labels[i] = best;
            moved |= best != home;
            for c in met.drain(..) {
                pull[c] = 0.0;
                seen[c] = false;
            }
        }
        if !moved {
            break;
        }
        moved_ever = true;
    }
    let (labels, count) = compact(&labels);
    (moved_ever, labels, count)
}

/// Labels renumbered 0, 1, ... in the order of first appearance, and their number.
fn compact(labels: &[usize]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&i| (labels[i], i));
    let mut first = vec![0; labels.len()];
    let mut start = 0;
    for (k, &i) in order.iter().enumerate() {
        if k == 0 || labels[i] != labels[order[k - 1]] {
            start = i;
        }
        first[i] = start;
    }
    let mut number = vec![0; labels.len()];
    let mut count = 0;
    let mut out = vec![0; labels.len()];
    for i in 0..labels.len() {
        if first[i] == i {
            number[i] = count;
            count += 1;
        }
        out[i] = number[first[i]];
    }
    (out, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` cliques of `size` nodes in a ring of single edges.
    fn ring_of_cliques(count: usize, size: usize, directed: bool) -> Graph {
        let mut edges = Vec::new();
        for c in 0..count {
            for i in 0..size {
                for j in i + 1..size {
                    edges.push((c * size + i, c * size + j, 1.0));
                    if directed {
                        edges.push((c * size + j, c * size + i, 1.0));
                    }
                }
            }
            edges.push((c * size, ((c + 1) % count) * size + 1, 1.0));
        }
        Graph::new(count * size, directed, edges).unwrap()
    }

    #[test]
    fn cliques_are_found_with_their_closed_form_modularity() {
        for directed in [false, true] {
            let g = ring_of_cliques(8, 5, directed);
            let found = louvain(&g, 1.0, &mut Streams::new(1).stream("louvain", 0)).unwrap();
            assert_eq!(found.count, 8);
            assert!((0..40).all(|i| found.labels[i] == found.labels[i / 5 * 5]));
            // Equal communities: L_c/m minus 1/8 of squared share 1/8 each.
            let inside = if directed { 20.0 / 21.0 } else { 10.0 / 11.0 };
            assert!((found.modularity - (inside - 0.125)).abs() < 1e-12);
        }
    }

    #[test]
    fn one_community_has_modularity_zero_and_labels_are_names_only() {
        let g = ring_of_cliques(4, 4, true);
        assert!(modularity(&g, &[7; 16], 1.0).unwrap().abs() < 1e-15);
        let labels: Vec<usize> = (0..16).map(|i| 900 - i / 4).collect();
        let renamed: Vec<usize> = (0..16).map(|i| i / 4).collect();
        assert_eq!(modularity(&g, &labels, 1.0).unwrap(), modularity(&g, &renamed, 1.0).unwrap());
    }

    #[test]
    fn rewiring_keeps_every_degree_and_lowers_modularity() {
        for directed in [false, true] {
            let g = ring_of_cliques(8, 6, directed);
            let (r, swaps) = g.rewired(10, &mut Streams::new(2).stream("rewiring", 0));
            assert_eq!(g.degrees(), r.degrees());
            assert_eq!(g.edges().len(), r.edges().len());
            assert!(r.edges().iter().all(|e| e.0 != e.1) && swaps > 5 * g.edges().len());
            let c = against_rewiring(&g, 1.0, 3, 19, Streams::new(3)).unwrap();
            assert!(c.p <= 0.05 && c.z > 10.0, "{c:?}");
        }
    }

    #[test]
    fn a_star_cannot_be_rewired_and_bad_graphs_are_refused() {
        let star = Graph::new(5, false, (1..5).map(|i| (0, i, 1.0))).unwrap();
        assert_eq!(star.rewired(10, &mut Streams::new(1).stream("r", 0)), (star.clone(), 0));
        assert!(Graph::new(2, true, [(0, 2, 1.0)]).is_err());
        assert!(Graph::new(2, true, [(0, 1, f64::NAN)]).is_err());
        assert!(Graph::new(2, true, [(0, 1, -1.0)]).is_err());
        assert!(modularity(&star, &[0; 4], 1.0).is_err());
        let empty = Graph::new(0, false, []).unwrap();
        assert!(louvain(&empty, 1.0, &mut Streams::new(1).stream("l", 0)).is_err());
        assert!(against_rewiring(&empty, 1.0, 1, 1, Streams::new(1)).is_err());
    }

    #[test]
    fn same_stream_same_partition() {
        let g = ring_of_cliques(5, 4, false);
        let run = |k| louvain(&g, 1.3, &mut Streams::new(k).stream("louvain", 0)).unwrap();
        assert_eq!(run(4), run(4));
        assert_eq!(louvain_best(&g, 1.0, 8, Streams::new(4)), louvain_best(&g, 1.0, 8, Streams::new(4)));
    }
}
