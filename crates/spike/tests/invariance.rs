//! What must not change a bit: saving and loading in mid-run, jumping over silence, recording.

#![allow(clippy::expect_used, reason = "a failed step fails the test")]

use neuropil_core::{Result, Streams};
use neuropil_spike::{
    Connector, IfCurrExp, IfCurrExpParameters, LifExp, LifParameters, Network, Neurons, PairStdp,
    PoissonSource, Projection, SpikeList, StdpParameters,
};

/// A network with every kind of part: sources, both receptors, delays, recurrent and plastic projections.
fn network(seed: u64) -> Result<Network> {
    let streams = Streams::new(seed);
    let mut n = Network::new(1.0)?;
    let list = SpikeList::new(8, (0..60).map(|k| (k * 37 % 900, (k % 8) as u32)).collect())?;
    let a = n.add("list", list)?;
    let b = n.add("poisson", PoissonSource::new(&[2.0; 8], streams.stream("poisson", 0))?)?;
    let c = n.add("curr", IfCurrExp::uniform(8, IfCurrExpParameters::default())?)?;
    let cells: Vec<LifParameters> =
        (0..12).map(|i| LifParameters { tau_m_ms: 8.0 + f64::from(i), ..LifParameters::default() }).collect();
    let d = n.add("exp", LifExp::new(12, cells)?)?;
    let stdp = || PairStdp::new(StdpParameters { a_plus: 1.0, a_minus: 0.8, ..StdpParameters::default() });
    n.connect(a, c, &Connector::OneToOne, &Projection::excitatory(6.0, 1))?;
    n.connect(b, c, &Connector::AllToAll, &Projection::excitatory(2.0, 3).plastic(stdp()?))?;
    n.connect(c, c, &Connector::AllToAllExceptSelf, &Projection::inhibitory(2.0, 2))?;
    let mut stream = streams.stream("connect", 0);
    n.connect_randomly(c, d, &Connector::Bernoulli(0.5), &Projection::excitatory(1500.0, 7), &mut stream)?;
    n.connect_randomly(
        d,
        c,
        &Connector::FixedIndegree(4),
        &Projection::inhibitory(0.5, 5).plastic(stdp()?),
        &mut stream,
    )?;
    (0..4).for_each(|i| n.record(n.populations().nth(i).unwrap_or(a)));
    Ok(n)
}

fn bytes(n: &Network) -> Vec<u8> {
    postcard::to_stdvec(n).expect("serialises")
}

#[test]
fn a_saved_network_continues_with_the_same_bits() -> Result<()> {
    let mut whole = network(1)?;
    whole.run(1000);
    assert!(whole.recorded().len() > 100, "{}", whole.recorded().len());
    for cut in [1, 123, 500, 999] {
        let mut first = network(1)?;
        first.run(cut);
        let mut second: Network = postcard::from_bytes(&bytes(&first)).expect("loads");
        second.run(1000 - cut);
        assert_eq!(bytes(&second), bytes(&whole), "cut at {cut}");
    }
    Ok(())
}

#[test]
fn jumping_over_silence_changes_nothing() -> Result<()> {
    let build = || -> Result<Network> {
        let mut n = Network::new(1.0)?;
        let a =
            n.add("list", SpikeList::new(4, vec![(3, 0), (4, 1), (5_000, 2), (5_002, 0), (90_000, 3)])?)?;
        let c = n.add("curr", IfCurrExp::uniform(4, IfCurrExpParameters::default())?)?;
        let d = n.add("exp", LifExp::uniform(4, LifParameters::default())?)?;
        n.connect(a, c, &Connector::OneToOne, &Projection::excitatory(6.0, 4))?;
        n.connect(
            c,
            d,
            &Connector::AllToAll,
            &Projection::excitatory(2.0, 1).plastic(PairStdp::new(StdpParameters::default())?),
        )?;
        n.record(c);
        Ok(n)
    };
    let (mut jumping, mut stepping) = (build()?, build()?);
    jumping.run(100_000);
    (0..100_000).for_each(|_| stepping.step());
    assert_eq!(bytes(&jumping), bytes(&stepping));
    assert_eq!(jumping.recorded().len(), 5);
    Ok(())
}

#[test]
fn seeds_matter_and_repeat() -> Result<()> {
    let run = |seed| -> Result<Vec<u8>> {
        let mut n = network(seed)?;
        n.run(400);
        Ok(bytes(&n))
    };
    assert_eq!(run(5)?, run(5)?);
    assert_ne!(run(5)?, run(6)?);
    Ok(())
}

#[test]
fn settling_keeps_weights_and_forgets_activity() -> Result<()> {
    let mut n = network(2)?;
    n.run(300);
    let weights: Vec<f64> = n.projections().flat_map(|p| p.3.dense()).collect();
    n.settle();
    assert_eq!(n.projections().flat_map(|p| p.3.dense()).collect::<Vec<_>>(), weights);
    let cells = n.populations().nth(2).and_then(|id| n.neurons(id).cloned());
    assert_eq!(cells, {
        let fresh = network(2)?;
        fresh.populations().nth(2).and_then(|id| fresh.neurons(id).cloned())
    });
    assert!(matches!(cells, Some(Neurons::IfCurrExp(_))));
    Ok(())
}
