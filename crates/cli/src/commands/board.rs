//! `neuropil board`

use crate::args::BoardArgs;
use crate::output;
use neuropil::core::Result;
use neuropil::experiment::board;
use neuropil::plot::{BoardRow, board_markdown, board_page, board_terminal};

pub fn board(args: &BoardArgs) -> Result<u8> {
    let rows = if let Some(file) = &args.from {
        board::read_rows(file)?
    } else {
        let (rows, problems) = board::collect(&args.runs)?;
        for p in &problems {
            output::note(format!("warning: skipped: {p}"));
        }
        rows
    };
    if let Some(file) = &args.against {
        return against(&rows, &board::read_rows(file)?);
    }
    let text = if args.json {
        serde_json::to_string_pretty(&rows).map_err(|e| neuropil::core::Error::Internal(e.to_string()))?
    } else if args.html {
        board_page(&rows)
    } else if args.markdown {
        board_markdown(&rows)
    } else {
        board_terminal(&rows, output::width(), output::colour())
    };
    // Showing a miss is not a failure of the command that shows it.
    output::line(text.trim_end())?;
    Ok(0)
}

/// Claims that `before` shows as met and `now` as missed.
fn against(now: &[BoardRow], before: &[BoardRow]) -> Result<u8> {
    let was_met = |r: &&BoardRow| {
        before
            .iter()
            .any(|b| (&b.system, &b.profile, &b.claim, b.passed) == (&r.system, &r.profile, &r.claim, true))
    };
    let lost: Vec<&BoardRow> = now.iter().filter(|r| !r.passed && !r.speed).filter(was_met).collect();
    for r in &lost {
        let value = r.value.map_or("not finite".into(), |v| v.to_string());
        output::line(format!("lost: {} {} {}: {value}, bar {}", r.system, r.profile, r.claim, r.bar))?;
    }
    output::line(format!("{} claims, {} of them met before and missed now", now.len(), lost.len()))?;
    Ok(u8::from(!lost.is_empty()))
}
