//! Leaky integrate-and-fire with input as jumps of the potential.

#![expect(clippy::inline_always, reason = "the loop must be inlined into the wide forms of the dispatcher")]

use super::{LifParameters, Neuron, check_count, refractory_steps};
use crate::kernels::{Kernel, widest};
use neuropil_core::Result;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Coefficients {
    /// Potential that the neuron relaxes to: rest plus the shift by the constant current.
    target: f64,
    reset: f64,
    threshold: f64,
    /// `1 - exp(-dt/tau)`, through `exp_m1` so that small steps keep their digits.
    approach: f64,
    refractory: u64,
}

/// `tau dV/dt = V_rest - V + R I`, input of weight w (mV) moves V by w. Receptors: 0 excitatory, 1 inhibitory
/// (subtracted).
///
/// Order of operations inside a step (exact for input on the grid; Rotter & Diesmann 1999):
///
/// ```text
/// if refractory > 0: refractory <- refractory - 1, V stays at V_reset, input of the step is lost
/// else:              V <- V + (1 - exp(-dt/tau)) (V_rest + R I - V);  V <- V + input
/// if V >= V_thresh:  spike, V <- V_reset, refractory <- ceil(tau_refrac / dt)
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LifDelta {
    parameters: Vec<LifParameters>,
    coefficients: Vec<Coefficients>,
    v: Vec<f64>,
    refractory: Vec<u64>,
}

impl LifDelta {
    /// `n` neurons with the same parameters.
    pub fn uniform(n: usize, parameters: LifParameters) -> Result<Self> {
        Self::new(n, vec![parameters])
    }

    /// `n` neurons with one set of parameters for all or one per neuron.
    pub fn new(n: usize, parameters: Vec<LifParameters>) -> Result<Self> {
        check_count(&parameters, n)?;
        parameters.iter().try_for_each(LifParameters::check)?;
        let mut cells =
            Self { parameters, coefficients: Vec::new(), v: vec![0.0; n], refractory: vec![0; n] };
        cells.reset();
        Ok(cells)
    }

    /// Sets the potentials in mV, for example to random initial values; one per neuron.
    pub fn set_potentials_mv(&mut self, v: &[f64]) -> Result<()> {
        super::lif_exp::copy_potentials(&mut self.v, v)
    }
}

struct Advance<'a, C> {
    at: C,
    v: &'a mut [f64],
    refractory: &'a mut [u64],
    input: Option<&'a [f64]>,
}

impl<C: Fn(usize) -> Coefficients> Kernel for Advance<'_, C> {
    type Output = (bool, bool);

    #[inline(always)]
    fn run(self) -> (bool, bool) {
        let n = self.v.len();
        match self.input {
            None => self.sweep(|_| 0.0),
            Some(input) => {
                let (exc, inh) = (&input[..n], &input[n..2 * n]);
                self.sweep(move |i| exc[i] - inh[i])
            }
        }
    }
}

impl<C: Fn(usize) -> Coefficients> Advance<'_, C> {
    #[inline(always)]
    fn sweep(self, input: impl Fn(usize) -> f64) -> (bool, bool) {
        let n = self.v.len();
        let (v, refractory) = (&mut self.v[..n], &mut self.refractory[..n]);
        let (mut reached, mut moved) = (0_u64, 0_u64);
        for i in 0..n {
            let c = (self.at)(i);
            let free = v[i] + c.approach * (c.target - v[i]) + input(i);
            let waiting = refractory[i];
            let next = if waiting > 0 { v[i] } else { free };
            moved |= (next.to_bits() ^ v[i].to_bits()) | waiting;
            reached |= u64::from(next >= c.threshold);
            refractory[i] = waiting.saturating_sub(1);
            v[i] = next;
        }
        (reached != 0, moved != 0)
    }
}

impl Neuron for LifDelta {
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
                    refractory: refractory_steps(p.tau_refrac_ms, dt_ms)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(())
    }

    fn step(&mut self, _now: u64, input: Option<&[f64]>, spikes: &mut Vec<u32>) -> bool {
        let Self { coefficients, v, refractory, .. } = self;
        let n = v.len();
        let (reached, moved) = if let [c] = coefficients[..] {
            widest(Advance { at: move |_| c, v, refractory, input })
        } else {
            let c = &coefficients[..n];
            widest(Advance { at: move |i| c[i], v, refractory, input })
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
        self.refractory.fill(0);
    }

    fn potentials_mv(&self) -> Option<&[f64]> {
        Some(&self.v)
    }
}
