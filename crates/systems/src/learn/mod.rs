//! Networks and rules that learn.

wing! {
    bdh::Bdh,
}
