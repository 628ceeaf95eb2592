//! Segmentation of volumes.

wing! {
    /// Nested structures with a multi-level activation.
    nested_glioma::NestedGlioma,
}
