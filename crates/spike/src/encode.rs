//! Encoders: values to spike trains.

use neuropil_core::{Error, Result, SpikeTrains, Stream};

fn check(values: &[f64], duration_ms: f64) -> Result<()> {
    if !(duration_ms.is_finite() && duration_ms > 0.0) {
        return Err(Error::config("a positive duration", format!("{duration_ms} ms")).at("duration_ms"));
    }
    match values.iter().position(|v| !(0.0..=1.0).contains(v)) {
        Some(i) => Err(Error::input("values in [0, 1]", format!("{} at element {i}", values[i]))),
        None if values.is_empty() => Err(Error::input("at least 1 value", "0 values")),
        None => Ok(()),
    }
}

/// Rate code: unit i fires as a Poisson process with rate `values[i] * max_rate_hz`.
pub fn rate(values: &[f64], max_rate_hz: f64, duration_ms: f64, stream: &mut Stream) -> Result<SpikeTrains> {
    check(values, duration_ms)?;
    if !(max_rate_hz.is_finite() && max_rate_hz >= 0.0 && max_rate_hz * duration_ms < 1e10) {
        return Err(
            Error::config("a finite rate of at least 0 Hz", format!("{max_rate_hz} Hz")).at("max_rate_hz")
        );
    }
    let mut events = Vec::new();
    for (i, v) in values.iter().enumerate() {
        let rate_per_ms = v * max_rate_hz / 1000.0;
        if rate_per_ms <= 0.0 {
            continue;
        }
        let mut t = stream.exponential() / rate_per_ms;
        while t < duration_ms {
            events.push((t, i as u32));
            t += stream.exponential() / rate_per_ms;
        }
    }
    SpikeTrains::new(events, values.len(), duration_ms)
}

/// Latency code: unit i fires once at `window_ms * (1 - values[i])`, the strongest first; values below `threshold`
/// stay silent.
pub fn latency(values: &[f64], window_ms: f64, threshold: f64) -> Result<SpikeTrains> {
    check(values, window_ms)?;
    let events = values
        .iter()
        .enumerate()
        .filter(|(_, v)| **v >= threshold && **v > 0.0)
        .map(|(i, v)| (window_ms * (1.0 - v), i as u32))
        .filter(|e| e.0 < window_ms)
        .collect();
    SpikeTrains::new(events, values.len(), window_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn latency_orders_by_strength() -> Result<()> {
        let s = latency(&[0.2, 1.0, 0.0, 0.5], 10.0, 0.1)?;
        assert_eq!(s.events().collect::<Vec<_>>(), [(0.0, 1), (5.0, 3), (8.0, 0)]);
        assert!(latency(&[1.1], 10.0, 0.0).is_err() && latency(&[f64::NAN], 10.0, 0.0).is_err());
        Ok(())
    }

    #[test]
    fn rate_follows_the_value() -> Result<()> {
        let mut stream = Streams::new(1).stream("rate", 0);
        let s = rate(&[0.0, 0.5, 1.0], 100.0, 100_000.0, &mut stream)?;
        let count = |u| s.units().iter().filter(|&&x| x == u).count() as f64;
        assert_eq!(count(0), 0.0);
        // Four standard deviations of Poisson counts with means 5000 and 10 000.
        assert!((count(1) - 5000.0).abs() < 283.0 && (count(2) - 10_000.0).abs() < 400.0);
        Ok(())
    }
}
