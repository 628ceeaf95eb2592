//! Leaky integrate-and-fire with exponential currents, integrated exactly.

#![expect(clippy::inline_always, reason = "the loop must be inlined into the wide forms of the dispatcher")]

use super::{CURRENT_FLOOR, LifParameters, Neuron, check_count, refractory_steps};
use crate::kernels::{Kernel, widest};
use neuropil_core::{Error, Result};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Coefficients {
    target: f64,
    reset: f64,
    threshold: f64,
    approach: f64,
    decay_e: f64,
    decay_i: f64,
    /// Potential in mV that 1 pA of synaptic current at the start of a step leaves at its end.
    reach_e: f64,
    reach_i: f64,
    refractory: u64,
}

/// `tau dV/dt = V_rest - V + R (I_E - I_I + I_offset)` with currents that decay exponentially; weights in pA.
/// Receptors: 0 excitatory, 1 inhibitory (subtracted).
///
/// Order of operations inside a step (propagators of Rotter & Diesmann 1999, exact for input on the grid):
///
/// ```text
/// if refractory > 0: refractory <- refractory - 1, V stays
/// else:              V <- V + (1 - exp(-dt/tau_m)) (V_rest + R I_offset - V) + P_E I_E - P_I I_I
/// I_E <- I_E exp(-dt/tau_E) + input_E     (I_I likewise; input acts on V from the next step on)
/// if V >= V_thresh:  spike, V <- V_reset, refractory <- ceil(tau_refrac / dt)
///
/// P_X = (1/C) (exp(-dt/tau_m) - exp(-dt/tau_X)) / (1/tau_X - 1/tau_m),  dt exp(-dt/tau_m) / C where tau_X = tau_m
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LifExp {
    parameters: Vec<LifParameters>,
    coefficients: Vec<Coefficients>,
    v: Vec<f64>,
    i_exc: Vec<f64>,
    i_inh: Vec<f64>,
    refractory: Vec<u64>,
}

/// The propagator from current to potential, without the cancellation of the textbook form: with
/// `d = dt (1/tau_s - 1/tau_m)` it is `dt/C exp(-dt/tau_m) (1 - exp(-d)) / d`, and the last factor tends to 1.
fn reach(dt: f64, tau_m: f64, tau_s: f64, c: f64) -> f64 {
    let d = dt * (1.0 / tau_s - 1.0 / tau_m);
    let ratio = if d.abs() < 1e-9 { 1.0 - d / 2.0 } else { -(-d).exp_m1() / d };
    dt / c * (-dt / tau_m).exp() * ratio
}

pub(super) fn copy_potentials(to: &mut [f64], from: &[f64]) -> Result<()> {
    if to.len() != from.len() {
        return Err(Error::input(format!("{} potentials", to.len()), from.len().to_string()));
    }
    if let Some(v) = from.iter().find(|v| !v.is_finite()) {
        return Err(Error::input("finite potentials", format!("{v} mv")));
    }
    to.copy_from_slice(from);
    Ok(())
}

impl LifExp {
    /// `n` neurons with the same parameters.
    pub fn uniform(n: usize, parameters: LifParameters) -> Result<Self> {
        Self::new(n, vec![parameters])
    }

    /// `n` neurons with one set of parameters for all or one per neuron.
    pub fn new(n: usize, parameters: Vec<LifParameters>) -> Result<Self> {
        check_count(&parameters, n)?;
        parameters.iter().try_for_each(LifParameters::check)?;
        let zero = vec![0.0; n];
        let mut cells = Self {
            parameters,
            coefficients: Vec::new(),
            v: zero.clone(),
            i_exc: zero.clone(),
            i_inh: zero,
            refractory: vec![0; n],
        };
        cells.reset();
        Ok(cells)
    }

    /// Sets the potentials in mV, for example to random initial values; one per neuron.
    pub fn set_potentials_mv(&mut self, v: &[f64]) -> Result<()> {
        copy_potentials(&mut self.v, v)
    }
}

struct Advance<'a, C> {
    at: C,
    v: &'a mut [f64],
    i_exc: &'a mut [f64],
    i_inh: &'a mut [f64],
    refractory: &'a mut [u64],
    input: Option<&'a [f64]>,
}

impl<C: Fn(usize) -> Coefficients> Kernel for Advance<'_, C> {
    type Output = (bool, bool);

    #[inline(always)]
    fn run(self) -> (bool, bool) {
        let n = self.v.len();
        match self.input {
            None => self.sweep(|_| (0.0, 0.0)),
            Some(input) => {
                let (exc, inh) = (&input[..n], &input[n..2 * n]);
                self.sweep(move |i| (exc[i], inh[i]))
            }
        }
    }
}

impl<C: Fn(usize) -> Coefficients> Advance<'_, C> {
    #[inline(always)]
    fn sweep(self, input: impl Fn(usize) -> (f64, f64)) -> (bool, bool) {
        let n = self.v.len();
        let (v, i_exc, i_inh) = (&mut self.v[..n], &mut self.i_exc[..n], &mut self.i_inh[..n]);
        let refractory = &mut self.refractory[..n];
        let (mut reached, mut moved) = (0_u64, 0_u64);
        for i in 0..n {
            let c = (self.at)(i);
            let (e_in, i_in) = input(i);
            let free = v[i] + c.approach * (c.target - v[i]) + (c.reach_e * i_exc[i] - c.reach_i * i_inh[i]);
            let waiting = refractory[i];
            let next = if waiting > 0 { v[i] } else { free };
            let e = i_exc[i] * c.decay_e + e_in;
            let e = if e.abs() < CURRENT_FLOOR { 0.0 } else { e };
            let h = i_inh[i] * c.decay_i + i_in;
            let h = if h.abs() < CURRENT_FLOOR { 0.0 } else { h };
            moved |= (next.to_bits() ^ v[i].to_bits()) | e.to_bits() | h.to_bits() | waiting;
            reached |= u64::from(next >= c.threshold);
            refractory[i] = waiting.saturating_sub(1);
            v[i] = next;
            i_exc[i] = e;
            i_inh[i] = h;
        }
        (reached != 0, moved != 0)
    }
}

impl Neuron for LifExp {
    fn len(&self) -> usize {
        self.v.len()
    }

    fn prepare(&mut self, dt_ms: f64) -> Result<()> {
        self.coefficients = self
            .parameters
            .iter()
            .map(|p| {
                Ok(Coefficients {
                    target: p.v_rest_mv + p.shift_mv(),
                    reset: p.v_reset_mv,
                    threshold: p.v_thresh_mv,
                    approach: -(-dt_ms / p.tau_m_ms).exp_m1(),
                    decay_e: (-dt_ms / p.tau_syn_e_ms).exp(),
                    decay_i: (-dt_ms / p.tau_syn_i_ms).exp(),
                    reach_e: reach(dt_ms, p.tau_m_ms, p.tau_syn_e_ms, p.c_m_pf),
                    reach_i: reach(dt_ms, p.tau_m_ms, p.tau_syn_i_ms, p.c_m_pf),
                    refractory: refractory_steps(p.tau_refrac_ms, dt_ms)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(())
    }

    fn step(&mut self, _now: u64, input: Option<&[f64]>, spikes: &mut Vec<u32>) -> bool {
        let Self { coefficients, v, i_exc, i_inh, refractory, .. } = self;
        let n = v.len();
        let (reached, moved) = if let [c] = coefficients[..] {
            widest(Advance { at: move |_| c, v, i_exc, i_inh, refractory, input })
        } else {
            let c = &coefficients[..n];
            widest(Advance { at: move |i| c[i], v, i_exc, i_inh, refractory, input })
        };
        if reached {
            for i in 0..n {
                let c = &coefficients[if coefficients.len() == 1 { 0 } else { i }];
                if v[i] >= c.threshold {
                    spikes.push(i as u32);
                    v[i] = c.reset;
                    refractory[i] = c.refractory;
                }
            }
        }
        moved || reached
    }

    fn reset(&mut self) {
        for (i, v) in self.v.iter_mut().enumerate() {
            *v = self.parameters[if self.parameters.len() == 1 { 0 } else { i }].v_init_mv;
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
    use super::reach;

    #[test]
    fn the_propagator_is_smooth_where_the_time_constants_meet() {
        let textbook = |ts: f64| ((-0.1_f64 / 10.0).exp() - (-0.1 / ts).exp()) / (1.0 / ts - 0.1) / 250.0;
        // Away from the singularity both forms agree to a few ulp of the textbook form's cancellation.
        assert!((reach(0.1, 10.0, 2.0, 250.0) / textbook(2.0) - 1.0).abs() < 1e-13);
        let limit = 0.1 / 250.0 * (-0.01_f64).exp();
        for ts in [10.0, 10.0 + 1e-12, 10.0 - 1e-7, 10.0 + 1e-7] {
            // d/2 = 5e-11 at the farthest of these.
            assert!((reach(0.1, 10.0, ts, 250.0) / limit - 1.0).abs() < 1e-9, "{ts}");
        }
    }
}
