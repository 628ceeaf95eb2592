//! Losses of segmentations whose structures contain one another, and what their maps mean.
//!
//! Level y of a voxel runs from 0 (background) to C (innermost); region m is y >= m. A [`Head`] turns maps z into the
//! probabilities P_1 .. P_C of the regions:
//!
//! - multi-level activation (Piraud et al. 2018; Hu et al. 2018): one map, P_m = sigma(kappa (z - t_m)) with ascending
//!   t_m, so P_1 >= P_2 >= ... by construction; a(z) = sum of P_m is a staircase from 0 to C;
//! - softmax over C + 1 levels: P_m is the sum of the probabilities of levels m and above;
//! - sigmoids: one map for each region, nothing keeps them nested.
//!
//! With g_m = 1 for y >= m: MCE = sum over m of -g_m ln P_m - (1 - g_m) ln(1 - P_m), for the softmax the cross-entropy of
//! the level; NCE = the same weighted by min(10, 1 / ((C + 1) freq_y)) with the frequency of the voxel's level in the
//! batch; both are means over voxels. Dice = 1 - mean over m of (2 sum P_m g_m + 1) / (sum P_m + sum g_m + 1). Values and
//! gradients are computed together: dMCE/dz = kappa sum over m of (P_m - g_m), dDice/dz = kappa sum over m of
//! P_m (1 - P_m) dDice/dP_m. Logarithms are those of the logit, never of a sigmoid.

mod head;
mod loss;

pub use head::{Head, decode_at, violations};
pub use loss::{
    Evaluated, Loss, evaluate, free_thresholds, ordered_thresholds, ordinal_loss, segmentation_loss,
};
