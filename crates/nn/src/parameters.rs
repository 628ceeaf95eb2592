//! All weights of a network in one flat buffer, so that optimiser steps, clipping and checkpoints are plain loops and
//! plain bytes.

use neuropil_core::{Array, Error, Result, Stream, Weights};
use serde::{Deserialize, Serialize};

/// Handle of one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterId(pub(crate) usize);

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All equal.
    Constant(f32),
    /// Normal with this standard deviation.
    Normal(f64),
    /// Uniform in [-bound, bound].
    Uniform(f64),
}

impl Init {
    /// Uniform in +-1/sqrt(fan_in), the usual start of linear, convolutional and recurrent layers.
    pub fn fan_in(fan_in: usize) -> Self {
        Self::Uniform(1.0 / (fan_in.max(1) as f64).sqrt())
    }

    /// He et al. 2015: normal with variance 2 / fan_in, for layers before a rectifier.
    pub fn he(fan_in: usize) -> Self {
        Self::Normal((2.0 / fan_in.max(1) as f64).sqrt())
    }
}

/// One parameter's place in the buffer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Unique name, levels separated by dots.
    pub name: String,
    /// Axis lengths.
    pub shape: Vec<usize>,
    /// First element in the buffer.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
    /// Whether weight decay applies.
    pub decay: bool,
}

/// Named parameters over one flat buffer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Parameters {
    entries: Vec<Entry>,
    values: Vec<f32>,
}

impl Parameters {
    /// Adds a parameter drawn from `stream`. Vectors (biases, gains) are not decayed.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        init: Init,
        stream: &mut Stream,
    ) -> ParameterId {
        let len = shape.iter().product();
        let offset = self.values.len();
        self.values.extend((0..len).map(|_| match init {
            Init::Constant(v) => v,
            Init::Normal(sd) => (sd * stream.normal()) as f32,
            Init::Uniform(bound) => stream.uniform_in(-bound, bound) as f32,
        }));
        self.entries.push(Entry {
            name: name.into(),
            shape: shape.to_vec(),
            offset,
            len,
            decay: shape.len() > 1,
        });
        ParameterId(self.entries.len() - 1)
    }

    /// The entries in the order in which they were added.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All values.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, writable.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Number of scalars.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// Values of one parameter.
    pub fn get(&self, id: ParameterId) -> &[f32] {
        let e = &self.entries[id.0];
        &self.values[e.offset..e.offset + e.len]
    }

    /// Values of one parameter, writable.
    pub fn get_mut(&mut self, id: ParameterId) -> &mut [f32] {
        let e = &self.entries[id.0];
        &mut self.values[e.offset..e.offset + e.len]
    }

    /// As the noun that is saved.
    pub fn to_weights(&self) -> Result<Weights> {
        let parameters = self
            .entries
            .iter()
            .map(|e| {
                Ok((e.name.clone(), Array::from_f32(&e.shape, &self.values[e.offset..e.offset + e.len])?))
            })
            .collect::<Result<_>>()?;
        Ok(Weights { parameters, ..Weights::default() })
    }

    /// Takes the values of `weights`; every parameter must be there with its shape, finite. Nothing is changed on error.
    pub fn load(&mut self, weights: &Weights) -> Result<()> {
        let mut values = Vec::with_capacity(self.values.len());
        for e in &self.entries {
            let v = weights.require_f32(&e.name, &e.shape)?;
            if let Some(i) = v.iter().position(|x| !x.is_finite()) {
                return Err(Error::input(
                    "finite weights",
                    format!("{} at element {i} of `{}`", v[i], e.name),
                ));
            }
            values.extend(v);
        }
        self.values = values;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::{Noun, Streams};

    #[test]
    fn weights_survive_the_file_form_bit_for_bit() -> Result<()> {
        let mut s = Streams::new(1).stream("init", 0);
        let mut p = Parameters::default();
        p.add("a.weight", &[3, 2], Init::Normal(1.0), &mut s);
        p.add("a.bias", &[2], Init::Constant(0.5), &mut s);
        let weights = Weights::from_store(&p.to_weights()?.to_store()?)?;
        let mut q = p.clone();
        q.values_mut().fill(0.0);
        q.load(&weights)?;
        assert_eq!(p, q);
        let mut other = Parameters::default();
        other.add("a.weight", &[2, 3], Init::Constant(0.0), &mut s);
        assert_eq!(other.load(&weights).map_err(|e| e.exit_code()), Err(3));
        Ok(())
    }
}
