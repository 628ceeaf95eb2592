//! Parameters of the exactly integrated leaky integrate-and-fire neurons.

use super::{check_above, check_finite};
use neuropil_core::Result;
use serde::{Deserialize, Serialize};

/// Parameters of [`LifDelta`](super::LifDelta) and [`LifExp`](super::LifExp).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LifParameters {
    /// Membrane time constant in ms.
    pub tau_m_ms: f64,
    /// Membrane capacitance in pF.
    pub c_m_pf: f64,
    /// Resting potential in mV.
    pub v_rest_mv: f64,
    /// Potential after a spike in mV; below the threshold.
    pub v_reset_mv: f64,
    /// Threshold in mV.
    pub v_thresh_mv: f64,
    /// Refractory time in ms, rounded up to whole steps.
    pub tau_refrac_ms: f64,
    /// Constant current in pA.
    pub i_offset_pa: f64,
    /// Decay of the excitatory current in ms (`LifExp` only).
    pub tau_syn_e_ms: f64,
    /// Decay of the inhibitory current in ms (`LifExp` only).
    pub tau_syn_i_ms: f64,
    /// Initial potential in mV.
    pub v_init_mv: f64,
}

impl Default for LifParameters {
    /// A cortical cell: 10 ms, 250 pF, -70 mV at rest, threshold 15 mV above, 2 ms refractory.
    fn default() -> Self {
        Self {
            tau_m_ms: 10.0,
            c_m_pf: 250.0,
            v_rest_mv: -70.0,
            v_reset_mv: -70.0,
            v_thresh_mv: -55.0,
            tau_refrac_ms: 2.0,
            i_offset_pa: 0.0,
            tau_syn_e_ms: 2.0,
            tau_syn_i_ms: 2.0,
            v_init_mv: -70.0,
        }
    }
}

impl LifParameters {
    pub(super) fn check(&self) -> Result<()> {
        check_above(self.tau_m_ms, 0.0, "tau_m_ms")?;
        check_above(self.c_m_pf, 0.0, "c_m_pf")?;
        check_above(self.tau_syn_e_ms, 0.0, "tau_syn_e_ms")?;
        check_above(self.tau_syn_i_ms, 0.0, "tau_syn_i_ms")?;
        check_finite(self.v_rest_mv, "v_rest_mv")?;
        check_finite(self.i_offset_pa, "i_offset_pa")?;
        check_finite(self.v_init_mv, "v_init_mv")?;
        check_finite(self.v_reset_mv, "v_reset_mv")?;
        check_above(self.v_thresh_mv, self.v_reset_mv, "v_thresh_mv")
    }

    /// Steady shift of the potential by the constant current, in mV (`I tau / C`).
    pub(super) fn shift_mv(&self) -> f64 {
        self.i_offset_pa * self.tau_m_ms / self.c_m_pf
    }
}
