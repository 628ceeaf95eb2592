//! Comparison of brains and models.

wing! {}
