//! Networks and rules that learn.

pub mod bdh;
wing! {}
