//! `neuropil list`

use crate::args::ListArgs;
use crate::output;
use neuropil::core::{Error, Result};
use neuropil::experiment::{Card, Wing};
use serde_json::{Value, json};

pub fn list(args: &ListArgs) -> Result<u8> {
    let wing = match &args.wing {
        None => None,
        Some(name) => Some(Wing::ALL.into_iter().find(|w| w.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Wing::ALL.iter().map(|w| w.name()).collect();
            Error::config(format!("one of {}", names.join(", ")), format!("`{name}`")).at("--wing")
        })?),
    };
    let search = args.search.as_ref().map(|s| s.to_lowercase());
    let cards: Vec<Card> = neuropil::systems::catalogue()
        .into_iter()
        .map(|e| e.card)
        .filter(|c| wing.is_none_or(|w| w == c.wing))
        .filter(|c| search.as_ref().is_none_or(|s| text_of(c).contains(s)))
        .collect();
    if args.json {
        output::json(&cards.iter().map(document).collect::<Vec<Value>>())?;
        return Ok(0);
    }
    let width = cards.iter().map(|c| c.slug.len()).max().unwrap_or(0);
    let mut last = None;
    for c in &cards {
        if last != Some(c.wing) {
            output::line(format!("{}{}", if last.is_some() { "\n" } else { "" }, c.wing.name()))?;
            last = Some(c.wing);
        }
        output::line(format!("  {:02} {:width$}  {}", c.number, c.slug, c.summary))?;
    }
    if cards.is_empty() {
        output::note("no system matches");
    }
    Ok(0)
}

fn text_of(c: &Card) -> String {
    [c.slug, c.title, c.authors, c.summary, c.claim, c.wing.name(), &c.tags.join(" ")]
        .join(" ")
        .to_lowercase()
}

fn document(c: &Card) -> Value {
    let inputs: Vec<&str> = c.inputs.iter().map(|r| r.name).collect();
    json!({
        "number": c.number, "slug": c.slug, "title": c.title, "wing": c.wing, "summary": c.summary,
        "claim": c.claim, "data": c.data.name(), "tags": c.tags, "inputs": inputs, "outputs": c.outputs,
    })
}
