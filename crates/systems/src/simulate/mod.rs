//! Spiking and dynamical simulation.

wing! {}
