//! Theory of learning.

wing! {}
