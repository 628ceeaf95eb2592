//! `neuropil board`

use crate::args::BoardArgs;
use crate::output;
use neuropil::core::Result;
use neuropil::experiment::board;
use neuropil::plot::{board_markdown, board_page, board_terminal};

pub fn board(args: &BoardArgs) -> Result<u8> {
    let rows = match &args.from {
        Some(file) => board::read_rows(file)?,
        None => {
            let (rows, problems) = board::collect(&args.runs)?;
            for p in &problems {
                output::note(format!("warning: skipped: {p}"));
            }
            rows
        }
    };
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
