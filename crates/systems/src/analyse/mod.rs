//! Analysis of recordings.

wing! {}
