//! `neuropil show SYSTEM`

use crate::args::ShowArgs;
use crate::output;
use neuropil::core::{Error, Result};
use neuropil::experiment::Profile;
use serde_json::{Map, json};

pub fn show(args: &ShowArgs) -> Result<u8> {
    let entry = super::system(&args.system)?;
    let profile = args.profile.profile();
    if args.config && !args.json {
        output::line(entry.config_toml(profile)?.trim_end())?;
        return Ok(0);
    }
    let c = entry.card;
    if args.json {
        let mut document = serde_json::to_value(c).map_err(|e| Error::Internal(e.to_string()))?;
        let mut estimates = Map::new();
        for p in Profile::ALL {
            let e = entry.estimate(p)?;
            estimates.insert(p.name().into(), json!({"wall_s": e.wall_s, "mem_mb": e.mem_mb}));
        }
        document["estimates"] = estimates.into();
        document["bars"] = json!(bars(c.slug));
        if args.config {
            document["config"] = json!(entry.config_toml(profile)?);
            document["schema"] = entry.schema();
        }
        output::json(&document)?;
        return Ok(0);
    }
    output::line(format!("{:02} {} ({})\n{}", c.number, c.slug, c.wing.name(), c.title))?;
    output::line(format!("{}, {}, {}\n", c.authors, c.year, c.source))?;
    output::line(format!("{}\n\nclaim   {}\ndata    {}", c.summary, c.claim, c.data.name()))?;
    for p in Profile::ALL {
        let e = entry.estimate(p)?;
        output::line(format!("{:7} about {}, {:.0} MB", p.name(), duration(e.wall_s), e.mem_mb))?;
    }
    let bars = bars(c.slug);
    if !bars.is_empty() {
        output::line("\nbars and values of the committed scoreboard")?;
        for (profile, claim, bar, value) in bars {
            output::line(format!(
                "  {profile:6} {claim:28} {bar:16} {}",
                value.map_or("-".into(), |v| format!("{v:.4}"))
            ))?;
        }
    }
    output::line("\ninputs of `--input`")?;
    for r in c.inputs {
        let need = match (r.required, r.many) {
            (true, true) => "one or more",
            (true, false) => "required",
            (false, true) => "any number",
            (false, false) => "optional",
        };
        output::line(format!("  {} ({need}; {})\n      {}", r.name, r.formats, r.help))?;
    }
    output::line("\noutputs")?;
    for o in c.outputs {
        output::line(format!("  {o}"))?;
    }
    output::line(format!(
        "\nexample\n  neuropil run {slug} --quick\n  neuropil data example {slug} example/\n  {}",
        c.example,
        slug = c.slug
    ))?;
    Ok(0)
}

/// Bars with the values of the scoreboard that was committed with this version.
fn bars(slug: &str) -> Vec<(String, String, String, Option<f64>)> {
    let rows: Vec<neuropil::plot::BoardRow> =
        serde_json::from_str(include_str!("../../../../docs/board.json")).unwrap_or_default();
    rows.into_iter().filter(|r| r.system == slug).map(|r| (r.profile, r.claim, r.bar, r.value)).collect()
}

/// Seconds for people.
pub fn duration(s: f64) -> String {
    if s < 90.0 {
        format!("{s:.0} s")
    } else if s < 5400.0 {
        format!("{:.0} min", s / 60.0)
    } else {
        format!("{:.1} h", s / 3600.0)
    }
}
