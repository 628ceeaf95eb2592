//! Closed forms and hand-worked cases.

use neuropil_core::{Result, Streams};
use neuropil_spike::{
    Connector, IfCurrExp, IfCurrExpParameters, LifDelta, LifExp, LifParameters, Network, Neuron, PairLoop,
    PairStdp, PerfectIf, PerfectIfParameters, Plasticity, Projection, ProjectionId, SpikeList, StateRecorder,
    StdpParameters,
};

/// Potentials of one neuron after each of `steps` steps of `dt`, driven by the network around it.
fn trace(network: &mut Network, cell: neuropil_spike::PopulationId, steps: u64) -> Result<Vec<f64>> {
    let mut recorder = StateRecorder::new(network, cell, &[0], 1)?;
    for _ in 0..steps {
        network.step();
        recorder.sample(network);
    }
    Ok(recorder.samples_mv().to_vec())
}

#[test]
fn a_dc_step_follows_its_closed_form_at_any_step_size() -> Result<()> {
    let p = LifParameters { i_offset_pa: 300.0, ..LifParameters::default() };
    for k in 0..=10 {
        let dt = 0.5_f64.powi(k);
        for exponential in [false, true] {
            let mut network = Network::new(dt)?;
            let cell = if exponential {
                network.add("cell", LifExp::uniform(1, p)?)?
            } else {
                network.add("cell", LifDelta::uniform(1, p)?)?
            };
            let steps = (5.0 / dt) as u64;
            let v = trace(&mut network, cell, steps)?;
            let want = -70.0 + 300.0 * 10.0 / 250.0 * -(-0.5_f64).exp_m1();
            // 5 ms of at most 5120 steps; each rounds V (70 mV) to half an ulp of 1.4e-14 mV.
            assert!((v[v.len() - 1] - want).abs() < 1e-12 * 70.0, "dt {dt}: {} {want}", v[v.len() - 1]);
        }
    }
    Ok(())
}

#[test]
fn an_exponential_current_gives_the_difference_of_exponentials() -> Result<()> {
    let p = LifParameters::default();
    for dt in [1.0, 0.25, 0.1] {
        let mut network = Network::new(dt)?;
        let source = network.add("source", SpikeList::new(1, vec![(0, 0)])?)?;
        let cell = network.add("cell", LifExp::uniform(1, p)?)?;
        network.connect(source, cell, &Connector::AllToAll, &Projection::excitatory(400.0, 1))?;
        let v = trace(&mut network, cell, (20.0 / dt) as u64)?;
        for (k, v) in v.iter().enumerate() {
            // The spike arrives at the end of step 1, so step k ends (k - 1) dt later.
            let t = (k as f64 - 1.0).max(0.0) * dt;
            let kernel = ((-t / 10.0).exp() - (-t / 2.0).exp()) / (1.0 / 2.0 - 1.0 / 10.0) / 250.0;
            let want = -70.0 + 400.0 * kernel;
            assert!((v - want).abs() < 1e-12 * 70.0, "dt {dt}, step {k}: {v} {want}");
        }
    }
    Ok(())
}

#[test]
fn dc_driven_spike_times_are_exact() -> Result<()> {
    // V reaches the threshold theta above rest after tau ln(RI / (RI - theta)); then the refractory time, and again.
    let p = LifParameters { i_offset_pa: 500.0, ..LifParameters::default() };
    let dt = 0.1;
    let mut network = Network::new(dt)?;
    let cell = network.add("cell", LifDelta::uniform(1, p)?)?;
    network.record(cell);
    network.run(2000);
    let to_threshold = 10.0 * (20.0_f64 / (20.0 - 15.0)).ln();
    let period = (to_threshold / dt).ceil() as u64 + 20;
    let want: Vec<u64> = (0..2000).map(|k| period * k + period - 20 - 1).take_while(|&t| t < 2000).collect();
    assert_eq!(network.recorded().iter().map(|s| s.step).collect::<Vec<_>>(), want);
    Ok(())
}

#[test]
fn a_perfect_integrator_counts_its_input() -> Result<()> {
    let p =
        PerfectIfParameters { drift_mv_per_ms: 0.25, keep_excess: true, ..PerfectIfParameters::default() };
    let mut network = Network::new(1.0)?;
    let cell = network.add("cell", PerfectIf::uniform(1, p)?)?;
    network.record(cell);
    network.run(100);
    assert_eq!(
        network.recorded().iter().map(|s| s.step).collect::<Vec<_>>(),
        (3..100).step_by(4).collect::<Vec<_>>()
    );
    Ok(())
}

#[test]
fn the_discrete_scheme_follows_its_own_closed_form() -> Result<()> {
    // Sub-threshold response to one spike: I_k = w inj dec^k, V by summing the geometric series.
    let (w, dec, mem) = (3.0, (-1.0_f64 / 0.3).exp(), (-1.0_f64 / 3.0).exp());
    let mut network = Network::new(1.0)?;
    let source = network.add("source", SpikeList::new(1, vec![(0, 0)])?)?;
    let cell = network.add("cell", IfCurrExp::uniform(1, IfCurrExpParameters::default())?)?;
    network.connect(source, cell, &Connector::AllToAll, &Projection::excitatory(w, 1))?;
    let v = trace(&mut network, cell, 40)?;
    let first = w * 0.3 * (1.0 - dec) * (3.0 / 0.27) * (1.0 - mem);
    for (k, v) in v.iter().enumerate().skip(1) {
        let k = k as i32 - 1;
        let want = -60.0 + first * (mem.powi(k + 1) - dec.powi(k + 1)) / (mem - dec);
        assert!((v - want).abs() < 1e-12 * 60.0, "{k}: {v} {want}");
    }
    Ok(())
}

/// Weight after each step for one synapse whose ends spike at the given steps.
fn weights(
    rule: impl Into<Plasticity>,
    initial: f64,
    pre: &[u64],
    post: &[u64],
    steps: u64,
) -> Result<Vec<f64>> {
    let mut network = Network::new(1.0)?;
    let list = |steps: &[u64]| SpikeList::new(1, steps.iter().map(|&t| (t, 0)).collect());
    let source = network.add("pre", list(pre)?)?;
    // A perfect integrator driven by its own source is a postsynaptic neuron with spikes at will, one step later.
    let driver = network.add("driver", list(&post.iter().map(|t| t - 1).collect::<Vec<_>>())?)?;
    let target = network.add("post", PerfectIf::uniform(1, PerfectIfParameters::default())?)?;
    network.connect(driver, target, &Connector::OneToOne, &Projection::excitatory(2.0, 1))?;
    // The plastic synapse's own input arrives after the end, so it moves no spike.
    let projection = Projection::inhibitory(initial, 1000).plastic(rule);
    let id: ProjectionId = network.connect(source, target, &Connector::OneToOne, &projection)?;
    (0..steps)
        .map(|_| {
            network.step();
            Ok(network.synapses(id).map_or(f64::NAN, |s| s.weights()[0]))
        })
        .collect()
}

#[test]
fn stdp_pairs_by_hand() -> Result<()> {
    let p = StdpParameters { w_max: 100.0, w_min: -100.0, ..StdpParameters::default() };
    let e = |d: f64| 6.0 * (-d / 3.0).exp();
    let cases: [(&[u64], &[u64], f64); 6] = [
        // Post 2 steps after pre is seen after 3: potentiation.
        (&[3], &[5], e(3.0)),
        // Post in the step of pre is seen one step later: still potentiation.
        (&[3], &[3], e(1.0)),
        // Post one step before pre is seen in pre's step, D = 0: depression.
        (&[4], &[3], -e(0.0)),
        // Post before pre: depression.
        (&[8], &[3], -e(4.0)),
        // All pairs count.
        (&[3, 5], &[6], e(4.0) + e(2.0)),
        (&[5], &[2, 3, 7], e(3.0) - e(2.0) - e(1.0)),
    ];
    for (pre, post, want) in cases {
        for w in
            [weights(PairStdp::new(p)?, 0.0, pre, post, 12)?, weights(PairLoop::new(p)?, 0.0, pre, post, 12)?]
        {
            assert!((w[11] - want).abs() < 1e-14 * 100.0, "{pre:?} {post:?}: {} {want}", w[11]);
        }
    }
    // Weights change in the step in which the spike becomes visible, and not before.
    let w = weights(PairStdp::new(p)?, 0.0, &[3], &[5], 12)?;
    assert_eq!(w[5], 0.0);
    assert!(w[6] > 0.0);
    Ok(())
}

#[test]
fn stdp_clips_after_each_kind_of_change() -> Result<()> {
    let p = StdpParameters::default();
    // Potentiation of 2 e^(-1/3) 6 > 6 clips to 6; the D = 0 depression of the next pre spike then takes it to 0, where
    // an unclipped weight would have stayed above 0.
    let w = weights(PairStdp::new(p)?, 5.0, &[3, 4, 6], &[5], 12)?;
    assert_eq!(w[6], 0.0);
    Ok(())
}

#[test]
fn traces_equal_the_pair_loop_on_random_spikes() -> Result<()> {
    for (seed, connector) in
        [Connector::AllToAll, Connector::AllToAllExceptSelf, Connector::Bernoulli(0.4)].iter().enumerate()
    {
        let mut finals = Vec::new();
        for fast in [true, false] {
            let streams = Streams::new(seed as u64);
            let mut draw = streams.stream("spikes", 0);
            let mut events = || -> Vec<(u64, u32)> {
                (0..300).map(|_| (draw.below(200) as u64, draw.below(6) as u32)).collect()
            };
            let (pre, post) = (events(), events());
            let mut network = Network::new(1.0)?;
            let source = network.add("pre", SpikeList::new(6, pre)?)?;
            let driver = network.add("driver", SpikeList::new(6, post)?)?;
            let target = network.add("post", PerfectIf::uniform(6, PerfectIfParameters::default())?)?;
            network.connect(driver, target, &Connector::OneToOne, &Projection::excitatory(2.0, 1))?;
            let p = StdpParameters {
                a_plus: 0.5,
                a_minus: 0.4,
                dendritic_delay: seed as u32,
                ..StdpParameters::default()
            };
            let rule: Plasticity = if fast { PairStdp::new(p)?.into() } else { PairLoop::new(p)?.into() };
            let plastic = Projection::inhibitory(0.0, 1000).plastic(rule);
            let mut stream = streams.stream("connect", 0);
            let id = network.connect_randomly(source, target, connector, &plastic, &mut stream)?;
            let mut all = Vec::new();
            for _ in 0..220 {
                network.step();
                all.extend(network.synapses(id).map(neuropil_spike::Synapses::dense).unwrap_or_default());
            }
            finals.push(all);
        }
        // Traces differ from the loop by rounding and by pairs below 1e-12 of an amplitude.
        let worst = finals[0].iter().zip(&finals[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-11, "{worst}");
        assert!(finals[0].iter().any(|&w| w > 0.1));
    }
    Ok(())
}

#[test]
fn bad_parameters_are_refused() {
    let lif = LifParameters { tau_m_ms: 0.0, ..LifParameters::default() };
    assert!(LifDelta::uniform(1, lif).is_err() && LifExp::uniform(1, lif).is_err());
    let reset = IfCurrExpParameters { v_reset_mv: -50.0, ..IfCurrExpParameters::default() };
    assert!(IfCurrExp::uniform(1, reset).is_err());
    assert!(PairStdp::new(StdpParameters { tau_plus_ms: f64::NAN, ..StdpParameters::default() }).is_err());
    assert!(Network::new(0.0).is_err());
    let mut cells = LifDelta::uniform(2, LifParameters::default()).expect("valid");
    assert!(cells.set_potentials_mv(&[0.0]).is_err() && cells.len() == 2);
}
