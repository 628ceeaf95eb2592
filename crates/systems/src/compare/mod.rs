//! Comparison of brains and models.

wing! {
    /// Topological representational similarity analysis.
    trsa::Trsa,
}
