//! Times of the Dragon Hatchling, as JSON: training step at model S (batch 8, context 128) and generation.
//!
//! `bench_bdh [REPEATS]`; `benches/peers/bdh.py` runs it beside its peers.
#![allow(clippy::print_stdout, clippy::expect_used)]

use neuropil_core::{Result, Streams};
use neuropil_nn::optim::{Rule, Schedule};
use neuropil_nn::train::Training;
use neuropil_systems::learn::bdh::model::{Learner, Parts, Sizes};
use neuropil_systems::learn::bdh::state::{Generator, State};
use std::time::Instant;

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let repeats = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(20);
    let sizes = Sizes { vocabulary: 256, width: 64, heads: 4, neurons: 1024, layers: 4 };
    let (batch, context, tokens) = (8, 128, 512);
    let mut s = Streams::new(1).stream("bench", 0);
    let parameters = sizes.initial(&mut s);
    let text: Vec<u32> = (0..=batch * context).map(|_| s.below(256) as u32).collect();
    let (x, y) = (&text[..batch * context], &text[1..]);

    let mut learner = Learner::<f32>::new(sizes, Parts::ALL, context);
    let rule = Rule::adamw(0.1);
    let mut training = Training::new(
        parameters.clone(),
        rule,
        Schedule::constant(1e-3),
        1.0,
        Streams::new(1).stream("dropout", 0),
    );
    let mut steps = Vec::new();
    for i in 0..repeats + 3 {
        let start = Instant::now();
        let (loss, gradient) = learner.gradient(training.parameters.values(), x, y, None);
        training.apply(loss as f32, gradient)?;
        if i >= 3 {
            steps.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }

    let mut generation = Vec::new();
    for i in 0..=repeats.min(7) {
        let mut generator = Generator::new(sizes, Parts::ALL, parameters.values());
        let mut state = State::new(&sizes);
        let start = Instant::now();
        generator.generate(&mut state, &text[..1], tokens, (1.0, 3), &mut s, |_, _| Ok(()))?;
        if i > 0 {
            generation.push(tokens as f64 / start.elapsed().as_secs_f64());
        }
    }
    println!(r#"{{"name":"neuropil","train_ms":{steps:?},"generate_tokens_per_s":{generation:?}}}"#);
    Ok(())
}
