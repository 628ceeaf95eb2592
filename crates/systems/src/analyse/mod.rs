//! Analysis of recordings.

wing! {
    /// 13: one store for recordings and connectomes of the worm.
    celegans_data::CelegansData,
}
