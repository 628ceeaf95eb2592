//! Segmentation of volumes.

wing! {}
