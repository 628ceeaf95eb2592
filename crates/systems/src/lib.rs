//! The published systems, one readable file each, in the seven wings of the catalogue.
//!
//! Adding a system touches its file and one line in its wing's list; the catalogue, the command line, the scoreboard
//! and the README's table are derived from the cards.

use neuropil_experiment::Entry;

/// Declares the systems of a wing: `module::Type` per line gives the module and its catalogue entry.
macro_rules! wing {
    ($($(#[$doc:meta])* $module:ident :: $system:ident),* $(,)?) => {
        $($(#[$doc])* pub mod $module;)*

        /// The systems of this wing.
        pub fn entries() -> Vec<neuropil_experiment::Entry> {
            vec![$(neuropil_experiment::Entry::of::<$module::$system>()),*]
        }
    };
}

pub mod analyse;
pub mod compare;
pub mod interpret;
pub mod learn;
pub mod segment;
pub mod simulate;
pub mod theory;

/// The face of each wing: the first system in its list.
pub fn tour() -> Vec<Entry> {
    wings().iter().filter_map(|w| w.first().copied()).collect()
}

fn wings() -> [Vec<Entry>; 7] {
    [
        simulate::entries(),
        learn::entries(),
        theory::entries(),
        analyse::entries(),
        interpret::entries(),
        compare::entries(),
        segment::entries(),
    ]
}

/// All systems, by wing and then by number.
pub fn catalogue() -> Vec<Entry> {
    let mut all: Vec<Entry> = wings().concat();
    all.sort_by_key(|e| (e.card.wing, e.card.number));
    all
}

/// The system with this slug or number; otherwise the nearest slugs.
pub fn find(name: &str) -> Result<Entry, Vec<&'static str>> {
    let all = catalogue();
    let hit = all.iter().find(|e| e.card.slug == name || name.parse() == Ok(e.card.number));
    hit.copied().ok_or_else(|| {
        let slugs: Vec<&'static str> = all.iter().map(|e| e.card.slug).collect();
        neuropil_experiment::inputs::nearest(name, slugs.into_iter())
    })
}
