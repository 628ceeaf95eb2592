//! Leaky integrate-and-fire with exponential currents in the discrete scheme of the SpiNNaker tools.

#![expect(clippy::inline_always, reason = "the loop must be inlined into the wide forms of the dispatcher")]

use super::{CURRENT_FLOOR, Neuron, check_above, check_count, check_finite, refractory_steps};
use crate::kernels::{Kernel, widest};
use neuropil_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Parameters of [`IfCurrExp`], named as in PyNN.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IfCurrExpParameters {
    /// Membrane capacitance in nF.
    pub cm_nf: f64,
    /// Membrane time constant in ms.
    pub tau_m_ms: f64,
    /// Resting potential in mV.
    pub v_rest_mv: f64,
    /// Potential after a spike in mV; below the threshold.
    pub v_reset_mv: f64,
    /// Threshold in mV.
    pub v_thresh_mv: f64,
    /// Refractory time in ms, rounded up to whole steps.
    pub tau_refrac_ms: f64,
    /// Decay of the excitatory current in ms.
    pub tau_syn_e_ms: f64,
    /// Decay of the inhibitory current in ms.
    pub tau_syn_i_ms: f64,
    /// Constant current in nA.
    pub i_offset_na: f64,
    /// Initial potential in mV.
    pub v_init_mv: f64,
    /// Largest excitatory input of one step in nA, as the fixed-point input buffers of the hardware saturate; `None`
    /// for no limit.
    pub input_saturation_na: Option<f64>,
}

impl Default for IfCurrExpParameters {
    /// The slow cells of the hippocampal content-addressable memory (Casanueva-Morato et al. 2024).
    fn default() -> Self {
        Self {
            cm_nf: 0.27,
            tau_m_ms: 3.0,
            v_rest_mv: -60.0,
            v_reset_mv: -60.0,
            v_thresh_mv: -57.0,
            tau_refrac_ms: 1.0,
            tau_syn_e_ms: 0.3,
            tau_syn_i_ms: 0.3,
            i_offset_na: 0.0,
            v_init_mv: -60.0,
            input_saturation_na: None,
        }
    }
}

impl IfCurrExpParameters {
    fn check(&self) -> Result<()> {
        check_above(self.cm_nf, 0.0, "cm_nf")?;
        check_above(self.tau_m_ms, 0.0, "tau_m_ms")?;
        check_above(self.tau_syn_e_ms, 0.0, "tau_syn_e_ms")?;
        check_above(self.tau_syn_i_ms, 0.0, "tau_syn_i_ms")?;
        check_finite(self.v_rest_mv, "v_rest_mv")?;
        check_finite(self.v_init_mv, "v_init_mv")?;
        check_finite(self.i_offset_na, "i_offset_na")?;
        check_finite(self.v_reset_mv, "v_reset_mv")?;
        check_above(self.v_thresh_mv, self.v_reset_mv, "v_thresh_mv")?;
        if let Some(s) = self.input_saturation_na {
            check_above(s, 0.0, "input_saturation_na")?;
        }
        if self.v_init_mv >= self.v_thresh_mv {
            return Err(Error::config(
                "an initial potential below the threshold",
                format!("{} mv", self.v_init_mv),
            )
            .at("v_init_mv"));
        }
        Ok(())
    }

    fn coefficients(&self, dt: f64) -> Result<Coefficients> {
        let decay_e = (-dt / self.tau_syn_e_ms).exp();
        let decay_i = (-dt / self.tau_syn_i_ms).exp();
        Ok(Coefficients {
            v_rest: self.v_rest_mv,
            v_reset: self.v_reset_mv,
            v_thresh: self.v_thresh_mv,
            resistance: self.tau_m_ms / self.cm_nf,
            decay_v: (-dt / self.tau_m_ms).exp(),
            decay_e,
            inject_e: self.tau_syn_e_ms / dt * (1.0 - decay_e),
            decay_i,
            inject_i: self.tau_syn_i_ms / dt * (1.0 - decay_i),
            saturation: self.input_saturation_na.unwrap_or(f64::INFINITY),
            offset: self.i_offset_na,
            refractory: refractory_steps(self.tau_refrac_ms, dt)?,
        })
    }
}

/// What a step needs, derived from the parameters and the step size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Coefficients {
    v_rest: f64,
    v_reset: f64,
    v_thresh: f64,
    resistance: f64,
    decay_v: f64,
    decay_e: f64,
    inject_e: f64,
    decay_i: f64,
    inject_i: f64,
    saturation: f64,
    offset: f64,
    refractory: u64,
}

/// `IF_curr_exp` in the scheme of sPyNNaker. Receptors: 0 excitatory, 1 inhibitory, both with weights in nA.
///
/// Order of operations inside a step of size `dt`, with `R = tau_m / cm`:
///
/// ```text
/// I_E <- I_E exp(-dt/tau_E) + (tau_E/dt) (1 - exp(-dt/tau_E)) min(input_E, saturation)     (I_I likewise, no limit)
/// if refractory > 0: refractory <- refractory - 1, V keeps its value
/// else:              A <- V_rest + (I_E - I_I + I_offset) R;  V <- A - exp(-dt/tau_m) (A - V)
/// if V >= V_thresh:  spike, V <- V_reset, refractory <- ceil(tau_refrac / dt)
/// ```
///
/// The injected current is the mean of the decaying exponential over the step, so the charge of a spike is right at
/// any `dt`; the potential takes the current as constant within the step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IfCurrExp {
    parameters: Vec<IfCurrExpParameters>,
    coefficients: Vec<Coefficients>,
    v: Vec<f64>,
    i_exc: Vec<f64>,
    i_inh: Vec<f64>,
    refractory: Vec<u64>,
}

impl IfCurrExp {
    /// `n` neurons with the same parameters.
    pub fn uniform(n: usize, parameters: IfCurrExpParameters) -> Result<Self> {
        Self::new(n, vec![parameters])
    }

    /// `n` neurons with one set of parameters for all or one per neuron.
    pub fn new(n: usize, parameters: Vec<IfCurrExpParameters>) -> Result<Self> {
        check_count(&parameters, n)?;
        parameters.iter().try_for_each(IfCurrExpParameters::check)?;
        let mut cells = Self {
            parameters,
            coefficients: Vec::new(),
            v: vec![0.0; n],
            i_exc: vec![0.0; n],
            i_inh: vec![0.0; n],
            refractory: vec![0; n],
        };
        cells.reset();
        Ok(cells)
    }

    /// Parameters: one set for all neurons or one per neuron.
    pub fn parameters(&self) -> &[IfCurrExpParameters] {
        &self.parameters
    }

    /// Excitatory and inhibitory currents in nA.
    pub fn currents_na(&self) -> (&[f64], &[f64]) {
        (&self.i_exc, &self.i_inh)
    }

    fn advance(&mut self, input: Option<&[f64]>) -> (bool, bool) {
        let n = self.v.len();
        let (exc, inh) = input.map_or((&[][..], &[][..]), |i| i.split_at(n));
        let Self { coefficients, v, i_exc, i_inh, refractory, .. } = self;
        if let [c] = coefficients[..] {
            widest(Advance { at: move |_| c, v, i_exc, i_inh, refractory, exc, inh })
        } else {
            let c = &coefficients[..n];
            widest(Advance { at: move |i| c[i], v, i_exc, i_inh, refractory, exc, inh })
        }
    }
}

/// One step without resets; returns (some potential is at threshold, something still moves).
struct Advance<'a, C> {
    at: C,
    v: &'a mut [f64],
    i_exc: &'a mut [f64],
    i_inh: &'a mut [f64],
    refractory: &'a mut [u64],
    exc: &'a [f64],
    inh: &'a [f64],
}

impl<C: Fn(usize) -> Coefficients> Kernel for Advance<'_, C> {
    type Output = (bool, bool);

    #[inline(always)]
    fn run(self) -> (bool, bool) {
        if self.exc.is_empty() { self.sweep(|_| (0.0, 0.0)) } else { self.with_input() }
    }
}

impl<C: Fn(usize) -> Coefficients> Advance<'_, C> {
    #[inline(always)]
    fn with_input(self) -> (bool, bool) {
        let n = self.v.len();
        let (exc, inh) = (&self.exc[..n], &self.inh[..n]);
        self.sweep(move |i| (exc[i], inh[i]))
    }

    #[inline(always)]
    fn sweep(self, input: impl Fn(usize) -> (f64, f64)) -> (bool, bool) {
        let n = self.v.len();
        let (v, i_exc, i_inh) = (&mut self.v[..n], &mut self.i_exc[..n], &mut self.i_inh[..n]);
        let refractory = &mut self.refractory[..n];
        let mut reached = 0_u64;
        let mut moved = 0_u64;
        for i in 0..n {
            let c = (self.at)(i);
            let (e_in, i_in) = input(i);
            let e_in = if e_in < c.saturation { e_in } else { c.saturation };
            let e = i_exc[i] * c.decay_e + c.inject_e * e_in;
            let e = if e.abs() < CURRENT_FLOOR { 0.0 } else { e };
            let h = i_inh[i] * c.decay_i + c.inject_i * i_in;
            let h = if h.abs() < CURRENT_FLOOR { 0.0 } else { h };
            let target = c.v_rest + (e - h + c.offset) * c.resistance;
            let free = target - c.decay_v * (target - v[i]);
            let waiting = refractory[i];
            let next = if waiting > 0 { v[i] } else { free };
            moved |= (next.to_bits() ^ v[i].to_bits()) | e.to_bits() | h.to_bits() | waiting;
            reached |= u64::from(next >= c.v_thresh);
            refractory[i] = waiting.saturating_sub(1);
            v[i] = next;
            i_exc[i] = e;
            i_inh[i] = h;
        }
        (reached != 0, moved != 0)
    }
}

impl Neuron for IfCurrExp {
    fn len(&self) -> usize {
        self.v.len()
    }

    fn prepare(&mut self, dt_ms: f64) -> Result<()> {
        self.coefficients = self.parameters.iter().map(|p| p.coefficients(dt_ms)).collect::<Result<_>>()?;
        Ok(())
    }

    fn step(&mut self, _now: u64, input: Option<&[f64]>, spikes: &mut Vec<u32>) -> bool {
        let (reached, moved) = self.advance(input);
        if reached {
            // V_reset lies below the threshold, so only neurons that fire now are at or above it.
            let uniform = self.coefficients.len() == 1;
            for (i, v) in self.v.iter_mut().enumerate() {
                let c = &self.coefficients[if uniform { 0 } else { i }];
                if *v >= c.v_thresh {
                    spikes.push(i as u32);
                    *v = c.v_reset;
                    self.refractory[i] = c.refractory;
                }
            }
        }
        moved || reached
    }

    fn reset(&mut self) {
        let uniform = self.parameters.len() == 1;
        for (i, v) in self.v.iter_mut().enumerate() {
            *v = self.parameters[if uniform { 0 } else { i }].v_init_mv;
        }
        self.i_exc.fill(0.0);
        self.i_inh.fill(0.0);
        self.refractory.fill(0);
    }

    fn potentials_mv(&self) -> Option<&[f64]> {
        Some(&self.v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow() -> Result<IfCurrExp> {
        let mut cell = IfCurrExp::uniform(1, IfCurrExpParameters::default())?;
        cell.prepare(1.0)?;
        Ok(cell)
    }

    /// The fast cells: cm 0.14 nF, tau_m 0.5 ms.
    fn fast() -> Result<IfCurrExp> {
        let p = IfCurrExpParameters { cm_nf: 0.14, tau_m_ms: 0.5, ..IfCurrExpParameters::default() };
        let mut cell = IfCurrExp::uniform(1, p)?;
        cell.prepare(1.0)?;
        Ok(cell)
    }

    /// The potential that one step with this input reaches, before a reset.
    fn reached(mut cell: IfCurrExp, exc: f64, inh: f64) -> f64 {
        cell.advance(Some(&[exc, inh]));
        cell.v[0]
    }

    #[test]
    fn hand_checks_of_single_spikes() -> Result<()> {
        // Two decimals: the hand values are quoted to 0.01 mV.
        assert!((reached(slow()?, 6.0, 0.0) + 54.53).abs() < 0.005);
        assert!(reached(slow()?, 3.2, 0.0) < -57.0);
        // Critical weights 3.29 nA (slow) and 3.36 nA (fast), to 0.01 nA.
        assert!(reached(slow()?, 3.30, 0.0) >= -57.0 && reached(slow()?, 3.28, 0.0) < -57.0);
        assert!(reached(fast()?, 3.37, 0.0) >= -57.0 && reached(fast()?, 3.35, 0.0) < -57.0);
        assert!((reached(fast()?, 9.0, 6.0) + 60.0 - 2.68).abs() < 0.005);
        assert!((reached(fast()?, 11.0, 6.0) + 60.0 - 4.47).abs() < 0.005);
        Ok(())
    }

    #[test]
    fn the_refractory_step_freezes_the_potential_but_not_the_current() -> Result<()> {
        let mut cell = slow()?;
        let mut spikes = Vec::new();
        assert!(cell.step(0, Some(&[6.0, 0.0]), &mut spikes));
        assert_eq!(spikes, [0]);
        cell.step(1, Some(&[6.0, 0.0]), &mut spikes);
        assert_eq!((spikes.len(), cell.v[0]), (1, -60.0));
        assert!(cell.i_exc[0] > 1.7);
        Ok(())
    }

    #[test]
    fn saturation_limits_the_input_of_one_step() -> Result<()> {
        let p = IfCurrExpParameters { input_saturation_na: Some(8.0), ..IfCurrExpParameters::default() };
        let mut cell = IfCurrExp::uniform(1, p)?;
        cell.prepare(1.0)?;
        assert_eq!(reached(cell, 12.0, 0.0), reached(slow()?, 8.0, 0.0));
        Ok(())
    }

    #[test]
    fn per_neuron_parameters_equal_single_neurons() -> Result<()> {
        let a = IfCurrExpParameters::default();
        let b = IfCurrExpParameters { cm_nf: 0.14, tau_m_ms: 0.5, ..a };
        let mut both = IfCurrExp::new(2, vec![a, b])?;
        both.prepare(1.0)?;
        both.advance(Some(&[3.0, 2.0, 0.5, 0.0]));
        assert_eq!(both.v, [reached(slow()?, 3.0, 0.5), reached(fast()?, 2.0, 0.0)]);
        assert!(IfCurrExp::new(3, vec![a, b]).is_err());
        Ok(())
    }

    #[test]
    fn a_silent_neuron_comes_to_rest_exactly() -> Result<()> {
        let mut cell = slow()?;
        let mut spikes = Vec::new();
        cell.step(0, Some(&[3.0, 0.0]), &mut spikes);
        let resting = (1..400).find(|&t| !cell.step(t, None, &mut spikes));
        assert!(resting.is_some_and(|t| t < 150), "{resting:?}");
        let before = cell.clone();
        cell.step(999, None, &mut spikes);
        assert_eq!(cell, before);
        Ok(())
    }
}
