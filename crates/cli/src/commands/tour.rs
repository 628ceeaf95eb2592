//! `neuropil tour`

use super::run::{one, open};
use crate::args::{TourArgs, version};
use crate::output;
use neuropil::core::{Error, Result, files};
use neuropil::experiment::{Profile, RunOptions, board};
use neuropil::plot::{BoardRow, board_terminal, tour_page};

pub fn tour(args: &TourArgs) -> Result<u8> {
    super::set_threads(args.common.threads)?;
    let started = std::time::Instant::now();
    let entries = neuropil::systems::tour();
    let out = &args.common.out;
    let (mut reports, mut links, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut worst = 0;
    for (i, entry) in entries.iter().enumerate() {
        output::note(format!(
            "[{}/{}] {} · {}",
            i + 1,
            entries.len(),
            entry.card.wing.name(),
            entry.card.title
        ));
        let options = RunOptions {
            profile: if args.smoke { Profile::Smoke } else { Profile::Quick },
            seed: args.seed,
            out: out.clone(),
            version: version(),
            ..RunOptions::default()
        };
        match one(entry, &options, args.common.json) {
            Ok(outcome) => {
                let link = outcome.folder.join("report.html");
                links.push(link.strip_prefix(out).unwrap_or(&link).display().to_string());
                rows.extend(BoardRow::from_report(&outcome.report, &outcome.folder.display().to_string()));
                reports.push(outcome.report);
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(e) => {
                output::error(&e.clone().at(entry.card.slug));
                worst = worst.max(e.exit_code());
            }
        }
    }
    let page = out.join("tour.html");
    files::write_atomic(&page, tour_page(&reports, &links).as_bytes())?;
    if !args.common.json {
        let rows = board::merge(rows.into_iter());
        output::line(board_terminal(&rows, output::width(), output::colour()).trim_end())?;
        output::line(format!(
            "\n{} systems in {:.0} s; page: {}",
            reports.len(),
            started.elapsed().as_secs_f64(),
            page.display()
        ))?;
    }
    let misses: Vec<String> =
        reports.iter().flat_map(|r| r.misses().map(move |c| format!("{} {}", r.system, c.id))).collect();
    if !misses.is_empty() {
        worst = worst.max(1);
        output::note(format!("bars not met: {}", misses.join(", ")));
    }
    if args.common.open {
        open(&page);
    }
    Ok(worst)
}
