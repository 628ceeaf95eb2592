//! Networks and rules that learn.

wing! {}
