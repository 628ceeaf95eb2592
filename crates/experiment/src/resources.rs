//! Time, memory and processor of this process.

use std::time::{SystemTime, UNIX_EPOCH};

/// Processor seconds of all threads so far.
pub fn cpu_s() -> f64 {
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::sys::time::TimeValLike as _;
        getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |u| {
            (u.user_time().num_microseconds() + u.system_time().num_microseconds()) as f64 * 1e-6
        })
    }
    #[cfg(not(unix))]
    {
        0.0
    }
}

/// Forgets the peak so far, where the system can (Linux); otherwise the peak stays that of the process.
pub fn reset_peak_memory() {
    #[cfg(target_os = "linux")]
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// Peak resident memory in MB since [`reset_peak_memory`].
pub fn peak_mem_mb() -> f64 {
    if let Some(kb) = proc_kb("/proc/self/status", "VmHWM:") {
        return kb / 1024.0;
    }
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |u| u.max_rss() as f64 / 1024.0)
    }
    #[cfg(not(unix))]
    {
        0.0
    }
}

/// Memory that can be had without swapping, in MB; `None` where the system does not say.
pub fn available_mem_mb() -> Option<f64> {
    proc_kb("/proc/meminfo", "MemAvailable:").map(|kb| kb / 1024.0)
}

fn proc_kb(file: &str, key: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|l| l.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Seconds since 1970.
pub fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// `20261125T042700Z` for seconds since 1970 (proleptic Gregorian, after Hinnant's `civil_from_days`).
pub fn utc_stamp(unix_s: u64) -> String {
    let (days, rest) = (unix_s / 86_400, unix_s % 86_400);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
}

/// Vector extensions that run-time dispatch can use here.
pub fn cpu_features() -> Vec<String> {
    let mut found: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx2") {
            found.push("avx2");
        }
        if std::arch::is_x86_feature_detected!("fma") {
            found.push("fma");
        }
        if std::arch::is_x86_feature_detected!("avx512f") {
            found.push("avx512f");
        }
    }
    #[cfg(target_arch = "aarch64")]
    found.push("neon");
    found.into_iter().map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_known_dates() {
        assert_eq!(utc_stamp(0), "19700101T000000Z");
        assert_eq!(utc_stamp(951_782_400), "20000229T000000Z");
        assert_eq!(utc_stamp(1_767_225_599), "20251231T235959Z");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_uses_time_and_memory() {
        assert!(cpu_s() >= 0.0 && peak_mem_mb() > 0.0 && available_mem_mb().is_some_and(|m| m > 0.0));
    }
}
