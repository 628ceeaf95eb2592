//! Reading the network: wiring of the learned neuron graph, and synapses that stand for a concept.

use super::model::Sizes;
use super::state::{Generator, State};
use neuropil_analysis::communities::{Graph, against_rewiring, louvain_best};
use neuropil_analysis::power_law::{self, Values};
use neuropil_core::connectome::Edge;
use neuropil_core::{Connectome, Error, Result, Stream, Streams, Unit};
use neuropil_nn::kernels::{Mat, MatMut, matmul};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The strongest excitatory entries of G = Dc E (neuron y of one round to neuron x of the next), `per_neuron` x n edges,
/// self-connections left out. Ties keep the smaller index.
pub fn wiring(sizes: &Sizes, values: &[f32], per_neuron: usize) -> Result<Connectome> {
    let (n, d, h, own) = (sizes.neurons, sizes.width, sizes.heads, sizes.per_head());
    let views = sizes.split(values);
    let mut g = vec![0.0_f32; n * n];
    for to in 0..h {
        let e = Mat::new(&views.e[to * d * own..(to + 1) * d * own], d, own);
        g.par_chunks_mut(64 * n).enumerate().for_each(|(block, rows)| {
            let count = rows.len() / n;
            let dc = Mat::new(views.dc, n, d).rows(block * 64, count);
            matmul(MatMut::strided(&mut rows[to * own..], count, own, n), dc, e, false);
        });
    }
    let mut order: Vec<u32> = (0..(n * n) as u32).filter(|i| *i as usize / n != *i as usize % n).collect();
    let keep = (per_neuron * n).clamp(1, order.len().max(1));
    let stronger = |a: &u32, b: &u32| g[*b as usize].total_cmp(&g[*a as usize]).then(a.cmp(b));
    if keep < order.len() {
        order.select_nth_unstable_by(keep - 1, stronger);
        order.truncate(keep);
    }
    let edges = order
        .iter()
        .filter(|&&i| g[i as usize] > 0.0)
        .map(|&i| Edge {
            source: i / n as u32,
            target: i % n as u32,
            weight: g[i as usize],
            delay_ms: 0.0,
            kind: 0,
        })
        .collect();
    let unit = |i: usize| Unit { area: Some(format!("head{}", i / own)), ..Unit::named(format!("n{i}")) };
    Connectome::new((0..n).map(unit).collect(), vec!["excitatory".into()], edges)
}

/// Statistics of a neuron graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphReport {
    /// Modularity Q of the best Louvain partition.
    pub modularity: f64,
    /// Mean Q of degree-preserving rewirings; NaN where not asked for.
    pub rewired: f64,
    /// Number of communities.
    pub communities: usize,
    /// In- and out-degrees.
    pub degrees: [Vec<f64>; 2],
    /// Power-law exponent, start of the tail, log-likelihood ratio against the log-normal (normalised; positive favours
    /// the power law) and its p, for in- and out-degrees; `None` where a degree sequence has no tail.
    pub tails: [Option<[f64; 4]>; 2],
}

/// Modularity (against `nulls` rewirings), degrees and their tails.
pub fn graph_report(graph: &Connectome, nulls: usize, streams: Streams) -> Result<GraphReport> {
    let g = Graph::of_connectome(graph, true)?;
    let (outgoing, incoming) = g.degrees();
    let degrees = [incoming, outgoing].map(|d| d.into_iter().map(|k| k as f64).collect::<Vec<f64>>());
    let tails = degrees.each_ref().map(|d| tail(d).ok());
    let (communities, rewired) = if nulls > 0 {
        let c = against_rewiring(&g, 1.0, 3, nulls, streams)?;
        let mean = c.null.iter().sum::<f64>() / c.null.len().max(1) as f64;
        (c.communities, mean)
    } else {
        (louvain_best(&g, 1.0, 3, streams)?, f64::NAN)
    };
    Ok(GraphReport { modularity: communities.modularity, rewired, communities: communities.count, degrees, tails })
}

fn tail(degrees: &[f64]) -> Result<[f64; 4]> {
    let positive: Vec<f64> = degrees.iter().copied().filter(|&k| k > 0.0).collect();
    let fit = power_law::fit(&positive, Values::Discrete, None)?;
    let other = power_law::fit_log_normal(&positive, &fit)?;
    let c = power_law::compare(&positive, &fit, &other)?;
    Ok([fit.alpha, fit.x_min, c.normalised, c.p])
}

/// rho after each text, [texts][L H N D]; every text starts from no synapse.
pub fn final_synapses(generator: &Generator, texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
    texts
        .par_iter()
        .map(|t| {
            let mut state = State::new(&generator.sizes());
            generator.read(&mut state, t, 128);
            state.rho
        })
        .collect()
}

/// One entry of rho and how well it tells texts with a concept from texts without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synapse {
    /// Round.
    pub layer: usize,
    /// Head.
    pub head: usize,
    /// Neuron within the head.
    pub neuron: usize,
    /// Coordinate of the message.
    pub coordinate: usize,
    /// Whether it is stronger with the concept (otherwise weaker).
    pub rises: bool,
    /// AUROC on the texts it was chosen on, in its direction.
    pub chosen_on: f64,
    /// AUROC on held-out texts, in the same direction.
    pub held_out: f64,
}

/// The search for one concept's synapse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConceptScan {
    /// The best synapses, best first, chosen on the training texts only.
    pub best: Vec<Synapse>,
    /// p of the best one: (1 + shuffles whose best entry is at least as good) / (1 + shuffles).
    pub p: f64,
    /// Training and held-out texts.
    pub texts: [usize; 2],
}

/// Texts of one concept: final synapses and whether the concept is in them.
pub struct Labelled {
    /// `[texts][entries]`.
    pub rho: Vec<Vec<f32>>,
    /// One per text.
    pub present: Vec<bool>,
}

/// Scores every entry of rho by AUROC on `train`, keeps the `keep` best, scores those on `held_out`, and compares the best
/// with the best of all entries under `shuffles` random relabellings (max-statistic).
pub fn concept_synapses(
    sizes: &Sizes,
    train: &Labelled,
    held_out: &Labelled,
    (shuffles, keep): (usize, usize),
    stream: &mut Stream,
) -> Result<ConceptScan> {
    for (set, name) in [(train, "training"), (held_out, "held-out")] {
        let with = set.present.iter().filter(|p| **p).count();
        if with < 4 || set.present.len() - with < 4 {
            return Err(Error::input(
                format!("at least 4 {name} texts with and 4 without the concept"),
                format!("{with} and {}", set.present.len() - with),
            ));
        }
    }
    let texts = train.present.len();
    let with = train.present.iter().filter(|p| **p).count();
    let pairs = (with * (texts - with)) as f32;
    // Column 0 holds the true labels, the others shuffles; the product with centred ranks is pairs x (AUROC - 1/2).
    let columns = shuffles + 1;
    let mut labels = vec![0.0_f32; texts * columns];
    let mut order: Vec<bool> = train.present.clone();
    for c in 0..columns {
        for (t, &p) in order.iter().enumerate() {
            labels[t * columns + c] = f32::from(u8::from(p));
        }
        stream.shuffle(&mut order);
    }
    let entries = train.rho.first().map_or(0, Vec::len);
    const CHUNK: usize = 2048;
    let results: Vec<(Vec<f32>, Vec<f32>)> = (0..entries.div_ceil(CHUNK))
        .into_par_iter()
        .map(|c| {
            let range = c * CHUNK..((c + 1) * CHUNK).min(entries);
            let mut ranks = Vec::with_capacity(range.len() * texts);
            for i in range.clone() {
                ranks.extend(centred_ranks(&train.rho.iter().map(|r| r[i]).collect::<Vec<_>>()));
            }
            let mut scores = vec![0.0; range.len() * columns];
            let (a, b) = (Mat::new(&ranks, range.len(), texts), Mat::new(&labels, texts, columns));
            matmul(MatMut::new(&mut scores, range.len(), columns), a, b, false);
            let mut best = vec![0.0_f32; columns];
            for row in scores.chunks_exact(columns) {
                for (b, s) in best.iter_mut().zip(row) {
                    *b = b.max(s.abs());
                }
            }
            (best, scores.iter().step_by(columns).copied().collect())
        })
        .collect();
    let mut best = vec![0.0_f32; columns];
    for (b, _) in &results {
        best.iter_mut().zip(b).for_each(|(m, v)| *m = m.max(*v));
    }
    let p = best[1..].iter().filter(|v| **v >= best[0]).count();
    let true_scores: Vec<f32> = results.into_iter().flat_map(|(_, s)| s).collect();
    let mut order: Vec<usize> = (0..entries).collect();
    let keep = keep.clamp(1, entries.max(1));
    let better = |a: &usize, b: &usize| true_scores[*b].abs().total_cmp(&true_scores[*a].abs()).then(a.cmp(b));
    if keep < entries {
        order.select_nth_unstable_by(keep - 1, better);
        order.truncate(keep);
    }
    order.sort_unstable_by(better);
    let synapse = |i: usize| {
        let rises = true_scores[i] > 0.0;
        let values: Vec<f32> = held_out.rho.iter().map(|r| r[i]).collect();
        let auroc = auroc(&values, &held_out.present);
        let (d, n) = (sizes.width, sizes.per_head());
        Synapse {
            layer: i / (sizes.heads * n * d),
            head: i / (n * d) % sizes.heads,
            neuron: i / d % n,
            coordinate: i % d,
            rises,
            chosen_on: f64::from(0.5 + true_scores[i].abs() / pairs),
            held_out: if rises { auroc } else { 1.0 - auroc },
        }
    };
    Ok(ConceptScan {
        best: order.into_iter().map(synapse).collect(),
        p: (1 + p) as f64 / (1 + shuffles) as f64,
        texts: [texts, held_out.present.len()],
    })
}

/// Average ranks minus their mean.
fn centred_ranks(values: &[f32]) -> Vec<f32> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mean = (values.len() as f32 - 1.0) / 2.0;
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let mut until = from + 1;
        while until < order.len() && values[order[until]] == values[order[from]] {
            until += 1;
        }
        for &i in &order[from..until] {
            ranks[i] = (from + until - 1) as f32 / 2.0 - mean;
        }
        from = until;
    }
    ranks
}

/// Probability that a value with the label exceeds one without; ties count one half.
pub fn auroc(values: &[f32], present: &[bool]) -> f64 {
    let with = present.iter().filter(|p| **p).count() as f64;
    let sum: f64 = centred_ranks(values).iter().zip(present).filter(|(_, p)| **p).map(|(r, _)| f64::from(*r)).sum();
    0.5 + sum / (with * (present.len() as f64 - with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auroc_counts_pairs() {
        assert_eq!(auroc(&[1.0, 2.0, 3.0, 4.0], &[false, false, true, true]), 1.0);
        assert_eq!(auroc(&[1.0, 1.0, 1.0], &[true, false, true]), 0.5);
        assert_eq!(auroc(&[3.0, 1.0, 2.0], &[false, true, true]), 0.0);
    }

    #[test]
    fn a_planted_synapse_is_found_and_noise_is_not() -> Result<()> {
        let sizes = Sizes { vocabulary: 2, width: 4, heads: 2, neurons: 16, layers: 3 };
        let mut s = Streams::new(9).stream("concept", 0);
        let mut set = |planted: bool| {
            let present: Vec<bool> = (0..40).map(|i| i % 2 == 0).collect();
            let rho = present
                .iter()
                .map(|&p| {
                    let mut r = s.normals_f32(192);
                    // Entry 77 = round 1, head 0, neuron 3, coordinate 1 falls by three deviations.
                    r[77] -= if planted && p { 3.0 } else { 0.0 };
                    r
                })
                .collect();
            Labelled { rho, present }
        };
        let (train, held_out, noise) = (set(true), set(true), set(false));
        let scan = concept_synapses(&sizes, &train, &held_out, (200, 3), &mut Streams::new(1).stream("s", 0))?;
        let b = &scan.best[0];
        assert_eq!((b.layer, b.head, b.neuron, b.coordinate, b.rises), (1, 0, 3, 1, false));
        assert!(scan.p < 0.01 && b.held_out > 0.9 && scan.best[1].held_out < 0.8, "{scan:?}");
        let none = concept_synapses(&sizes, &noise, &held_out, (200, 1), &mut Streams::new(1).stream("s", 0))?;
        assert!(none.p > 0.01);
        Ok(())
    }
}
