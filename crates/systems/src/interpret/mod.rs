//! Interpretation of trained networks.

wing! {}
