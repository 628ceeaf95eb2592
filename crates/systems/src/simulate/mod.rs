//! Spiking and dynamical simulation.

wing! {
    /// Spiking content-addressable memory of hippocampal CA3.
    hippocampal_cam::HippocampalCam,
}
