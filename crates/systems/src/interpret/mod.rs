//! Interpretation of trained networks.

wing! {
    /// Whether different networks learn the same representations.
    convergent_learning::ConvergentLearning,
}
