//! Connectors: which pairs of two populations get a synapse.

use crate::synapses::{Layout, Synapses};
use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// A rule that picks pairs (source, target).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Connector {
    /// Source i to target i; both populations have the same size.
    OneToOne,
    /// Every source to every target.
    AllToAll,
    /// Every source to every target with another index.
    AllToAllExceptSelf,
    /// Every source to one target.
    AllToOne(u32),
    /// One source to every target.
    OneToAll(u32),
    /// The listed pairs.
    Pairs(Vec<(u32, u32)>),
    /// The listed (source, target, weight, delay in steps); weight and delay of the projection are not used.
    Weighted(Vec<(u32, u32, f64, u32)>),
    /// Every target gets this many distinct sources.
    FixedIndegree(usize),
    /// Every source gets this many distinct targets.
    FixedOutdegree(usize),
    /// Every pair independently with this probability.
    Bernoulli(f64),
}

impl Connector {
    /// True if building needs random numbers.
    pub fn is_random(&self) -> bool {
        matches!(self, Self::FixedIndegree(_) | Self::FixedOutdegree(_) | Self::Bernoulli(_))
    }

    /// Builds the synapses between populations of the given sizes.
    ///
    /// Fails on an index outside a population, sizes that do not fit the rule, a probability outside [0, 1], or a
    /// random rule without a stream.
    pub fn build(
        &self,
        sources: usize,
        targets: usize,
        weight: f64,
        delay: u32,
        plastic: bool,
        stream: Option<&mut Stream>,
    ) -> Result<Synapses> {
        let make = |layout| Synapses::new(sources, targets, layout, weight, delay, plastic);
        let square = || {
            if sources == targets {
                Ok(())
            } else {
                Err(Error::config("populations of the same size", format!("{sources} and {targets}"))
                    .at("connector"))
            }
        };
        match self {
            Self::OneToOne => square().and_then(|()| make(Layout::OneToOne)),
            Self::AllToAll => make(Layout::Dense { skip_self: false }),
            Self::AllToAllExceptSelf => square().and_then(|()| make(Layout::Dense { skip_self: true })),
            Self::AllToOne(0) if targets == 1 => make(Layout::Dense { skip_self: false }),
            Self::OneToAll(0) if sources == 1 => make(Layout::Dense { skip_self: false }),
            Self::AllToOne(t) => {
                make(sparse(sources, targets, (0..sources as u32).map(|s| (s, *t)).collect())?)
            }
            Self::OneToAll(s) => {
                make(sparse(sources, targets, (0..targets as u32).map(|t| (*s, t)).collect())?)
            }
            Self::Pairs(pairs) => make(sparse(sources, targets, pairs.clone())?),
            Self::Weighted(list) => weighted(sources, targets, list),
            Self::FixedIndegree(k) => {
                let stream = stream.ok_or_else(no_stream)?;
                degree(*k, sources, "sources")?;
                let mut pairs = Vec::with_capacity(k * targets);
                for t in 0..targets as u32 {
                    pairs.extend(distinct(stream, sources, *k).into_iter().map(|s| (s, t)));
                }
                make(sparse(sources, targets, pairs)?)
            }
            Self::FixedOutdegree(k) => {
                let stream = stream.ok_or_else(no_stream)?;
                degree(*k, targets, "targets")?;
                let mut pairs = Vec::with_capacity(k * sources);
                for s in 0..sources as u32 {
                    pairs.extend(distinct(stream, targets, *k).into_iter().map(|t| (s, t)));
                }
                make(sparse(sources, targets, pairs)?)
            }
            Self::Bernoulli(p) => make(sparse(
                sources,
                targets,
                bernoulli(*p, sources, targets, stream.ok_or_else(no_stream)?)?,
            )?),
        }
    }
}

fn no_stream() -> Error {
    Error::config("a random stream for a random connector", "none").at("connector")
}

fn degree(k: usize, n: usize, of: &str) -> Result<()> {
    if k <= n {
        Ok(())
    } else {
        Err(Error::config(format!("a degree of at most {n} {of}"), k.to_string()).at("connector"))
    }
}

/// `k` distinct numbers of 0..n in ascending order (Floyd's algorithm: k draws, whatever n is).
fn distinct(stream: &mut Stream, n: usize, k: usize) -> Vec<u32> {
    let mut chosen = std::collections::BTreeSet::new();
    for top in n - k..n {
        let pick = stream.below(top + 1) as u32;
        if !chosen.insert(pick) {
            chosen.insert(top as u32);
        }
    }
    chosen.into_iter().collect()
}

/// Pairs drawn with probability p by jumping over the misses (geometric gaps), so the cost follows the hits.
fn bernoulli(p: f64, sources: usize, targets: usize, stream: &mut Stream) -> Result<Vec<(u32, u32)>> {
    if !(0.0..=1.0).contains(&p) {
        return Err(Error::config("a probability in [0, 1]", p.to_string()).at("connector"));
    }
    let total = sources as u64 * targets as u64;
    let mut pairs = Vec::new();
    if p == 0.0 {
        return Ok(pairs);
    }
    let scale = 1.0 / (-p).ln_1p();
    let mut at = 0_u64;
    loop {
        // For p = 1 the scale is -0 and every gap is 0.
        let gap = (-stream.exponential() * scale).floor();
        at = if gap >= total as f64 { total } else { at + gap as u64 };
        if at >= total {
            return Ok(pairs);
        }
        pairs.push(((at / targets as u64) as u32, (at % targets as u64) as u32));
        at += 1;
    }
}

fn in_range(s: u32, t: u32, sources: usize, targets: usize) -> Result<()> {
    if (s as usize) < sources && (t as usize) < targets {
        Ok(())
    } else {
        Err(Error::input(format!("pairs within {sources} x {targets}"), format!("{s} -> {t}"))
            .at("connector"))
    }
}

fn sparse(sources: usize, targets: usize, mut pairs: Vec<(u32, u32)>) -> Result<Layout> {
    pairs.iter().try_for_each(|&(s, t)| in_range(s, t, sources, targets))?;
    pairs.sort_unstable();
    let mut offsets = vec![0; sources + 1];
    for p in &pairs {
        offsets[p.0 as usize + 1] += 1;
    }
    (0..sources).for_each(|i| offsets[i + 1] += offsets[i]);
    Ok(Layout::Sparse { offsets, targets: pairs.into_iter().map(|p| p.1).collect() })
}

fn weighted(sources: usize, targets: usize, list: &[(u32, u32, f64, u32)]) -> Result<Synapses> {
    for &(s, t, w, d) in list {
        in_range(s, t, sources, targets)?;
        if !w.is_finite() || d == 0 {
            return Err(Error::input(
                "finite weights and delays of at least 1 step",
                format!("{s} -> {t}: {w}, {d}"),
            )
            .at("connector"));
        }
    }
    let mut list = list.to_vec();
    list.sort_by_key(|e| (e.0, e.1, e.3));
    let mut offsets = vec![0; sources + 1];
    for e in &list {
        offsets[e.0 as usize + 1] += 1;
    }
    (0..sources).for_each(|i| offsets[i + 1] += offsets[i]);
    let column = |f: fn(&(u32, u32, f64, u32)) -> u32| list.iter().map(f).collect::<Vec<_>>();
    let mut delays = column(|e| e.3);
    if delays.is_empty() || delays.windows(2).all(|w| w[0] == w[1]) {
        delays = vec![delays.first().copied().unwrap_or(1)];
    }
    let weights = list.iter().map(|e| e.2).collect();
    Ok(Synapses::listed(sources, targets, offsets, column(|e| e.1), weights, delays))
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    fn pairs(c: &Connector, s: usize, t: usize) -> Result<Vec<(u32, u32)>> {
        let mut stream = Streams::new(5).stream("connect", 0);
        Ok(c.build(s, t, 1.5, 2, false, Some(&mut stream))?.iter().map(|e| (e.0, e.1)).collect())
    }

    #[test]
    fn each_rule_gives_its_pairs() -> Result<()> {
        assert_eq!(pairs(&Connector::OneToOne, 2, 2)?, [(0, 0), (1, 1)]);
        assert_eq!(pairs(&Connector::AllToAll, 2, 2)?, [(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(pairs(&Connector::AllToAllExceptSelf, 2, 2)?, [(0, 1), (1, 0)]);
        assert_eq!(pairs(&Connector::AllToOne(1), 2, 3)?, [(0, 1), (1, 1)]);
        assert_eq!(pairs(&Connector::AllToOne(0), 2, 1)?, [(0, 0), (1, 0)]);
        assert_eq!(pairs(&Connector::OneToAll(1), 2, 2)?, [(1, 0), (1, 1)]);
        assert_eq!(pairs(&Connector::Pairs(vec![(1, 0), (0, 2)]), 2, 3)?, [(0, 2), (1, 0)]);
        assert_eq!(pairs(&Connector::Bernoulli(1.0), 2, 2)?.len(), 4);
        assert_eq!(pairs(&Connector::Bernoulli(0.0), 2, 2)?.len(), 0);
        Ok(())
    }

    #[test]
    fn degrees_and_probabilities_hold() -> Result<()> {
        let by_target = pairs(&Connector::FixedIndegree(3), 10, 20)?;
        assert!((0..20).all(|t| by_target.iter().filter(|p| p.1 == t).count() == 3));
        let by_source = pairs(&Connector::FixedOutdegree(20), 10, 20)?;
        assert_eq!(by_source.len(), 200);
        let n = pairs(&Connector::Bernoulli(0.1), 300, 300)?.len() as f64;
        // Four standard deviations of a binomial with n = 90 000, p = 0.1.
        assert!((n - 9000.0).abs() < 4.0 * 90.0, "{n}");
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for bad in [
            Connector::OneToOne,
            Connector::AllToAllExceptSelf,
            Connector::AllToOne(3),
            Connector::Pairs(vec![(2, 0)]),
            Connector::FixedIndegree(3),
            Connector::Bernoulli(f64::NAN),
            Connector::Weighted(vec![(0, 0, 1.0, 0)]),
        ] {
            assert!(pairs(&bad, 2, 3).is_err(), "{bad:?}");
        }
        assert!(Connector::AllToAll.build(2, 2, f64::NAN, 1, false, None).is_err());
        assert!(Connector::Bernoulli(0.5).build(2, 2, 1.0, 1, false, None).is_err());
    }
}
