//! Integrate-and-fire without a leak.

use super::{Neuron, check_above, check_count, check_finite, refractory_steps};
use neuropil_core::Result;
use serde::{Deserialize, Serialize};

/// Parameters of [`PerfectIf`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PerfectIfParameters {
    /// Drift of the potential in mV per ms (current over capacitance).
    pub drift_mv_per_ms: f64,
    /// Potential after a spike in mV; below the threshold.
    pub v_reset_mv: f64,
    /// Threshold in mV.
    pub v_thresh_mv: f64,
    /// Refractory time in ms, rounded up to whole steps.
    pub tau_refrac_ms: f64,
    /// Keep what exceeds the threshold (reset by subtraction) instead of dropping it.
    pub keep_excess: bool,
    /// Lower bound of the potential in mV.
    pub v_floor_mv: f64,
    /// Initial potential in mV.
    pub v_init_mv: f64,
}

impl Default for PerfectIfParameters {
    fn default() -> Self {
        Self {
            drift_mv_per_ms: 0.0,
            v_reset_mv: 0.0,
            v_thresh_mv: 1.0,
            tau_refrac_ms: 0.0,
            keep_excess: false,
            v_floor_mv: -1e9,
            v_init_mv: 0.0,
        }
    }
}

impl PerfectIfParameters {
    fn check(&self) -> Result<()> {
        check_finite(self.drift_mv_per_ms, "drift_mv_per_ms")?;
        check_finite(self.v_reset_mv, "v_reset_mv")?;
        check_finite(self.v_floor_mv, "v_floor_mv")?;
        check_finite(self.v_init_mv, "v_init_mv")?;
        check_above(self.v_thresh_mv, self.v_reset_mv, "v_thresh_mv")
    }
}

/// `dV/dt = drift`, input of weight w (mV) moves V by w. Receptors: 0 excitatory, 1 inhibitory (subtracted).
///
/// Order of operations inside a step:
///
/// ```text
/// if refractory > 0: refractory <- refractory - 1, input of the step is lost
/// else:              V <- max(V + drift dt + input, V_floor)
/// if V >= V_thresh:  spike, V <- V_reset (or V - (V_thresh - V_reset)), refractory <- ceil(tau_refrac / dt)
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerfectIf {
    parameters: Vec<PerfectIfParameters>,
    dt_ms: f64,
    waits: Vec<u64>,
    v: Vec<f64>,
    refractory: Vec<u64>,
}

impl PerfectIf {
    /// `n` neurons with the same parameters.
    pub fn uniform(n: usize, parameters: PerfectIfParameters) -> Result<Self> {
        Self::new(n, vec![parameters])
    }

    /// `n` neurons with one set of parameters for all or one per neuron.
    pub fn new(n: usize, parameters: Vec<PerfectIfParameters>) -> Result<Self> {
        check_count(&parameters, n)?;
        parameters.iter().try_for_each(PerfectIfParameters::check)?;
        let mut cells =
            Self { parameters, dt_ms: 1.0, waits: Vec::new(), v: vec![0.0; n], refractory: vec![0; n] };
        cells.reset();
        Ok(cells)
    }
}

impl Neuron for PerfectIf {
    fn len(&self) -> usize {
        self.v.len()
    }

    fn prepare(&mut self, dt_ms: f64) -> Result<()> {
        self.dt_ms = dt_ms;
        self.waits = self
            .parameters
            .iter()
            .map(|p| refractory_steps(p.tau_refrac_ms, dt_ms))
            .collect::<Result<_>>()?;
        Ok(())
    }

    fn step(&mut self, _now: u64, input: Option<&[f64]>, spikes: &mut Vec<u32>) -> bool {
        let n = self.v.len();
        let mut moved = false;
        for i in 0..n {
            let of = if self.parameters.len() == 1 { 0 } else { i };
            let p = &self.parameters[of];
            if self.refractory[i] > 0 {
                self.refractory[i] -= 1;
                moved = true;
                continue;
            }
            let jump = input.map_or(0.0, |x| x[i] - x[n + i]);
            let v = (self.v[i] + p.drift_mv_per_ms * self.dt_ms + jump).max(p.v_floor_mv);
            moved |= v.to_bits() != self.v[i].to_bits();
            self.v[i] = v;
            if v >= p.v_thresh_mv {
                spikes.push(i as u32);
                self.v[i] = if p.keep_excess { v - (p.v_thresh_mv - p.v_reset_mv) } else { p.v_reset_mv };
                self.refractory[i] = self.waits[of];
                moved = true;
            }
        }
        moved
    }

    fn reset(&mut self) {
        for (i, v) in self.v.iter_mut().enumerate() {
            *v = self.parameters[if self.parameters.len() == 1 { 0 } else { i }].v_init_mv;
        }
        self.refractory.fill(0);
    }

    fn potentials_mv(&self) -> Option<&[f64]> {
        Some(&self.v)
    }
}
