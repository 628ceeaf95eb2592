//! Theory of learning.

wing! {
    critical_periods::CriticalPeriods,
}
