//! The scoreboard as text: Markdown and terminal.

use crate::board::{counts, groups};
use crate::ink::clean;
use crate::{BoardRow, value};
use std::fmt::Write as _;

/// The scoreboard as a Markdown table, one row per claim. Nothing in it depends on time or machine but speed bars.
pub fn board_markdown(rows: &[BoardRow]) -> String {
    let mut out = String::from(
        "| # | system | claim | paper | bar | measured | result | data | run |\n|--:|---|---|---|---|---|---|---|---|\n",
    );
    for row in groups(rows).into_iter().flatten() {
        let number = if row.number > 0 { format!("{:02}", row.number) } else { String::new() };
        let run = [row.profile.clone(), value::seeds(&row.seeds)];
        let run = run.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ");
        let speed = if row.speed { " (speed)" } else { "" };
        let _ = writeln!(
            out,
            "| {number} | {} | {}{speed} | {} | {} | {} | {} | {} | {} |",
            markdown(&row.system),
            markdown(&row.text),
            row.paper.as_deref().map_or_else(|| "-".into(), markdown),
            markdown(&value::bar(&row.bar, value::plain)),
            markdown(&value::measured(row.value, row.interval, value::plain)),
            if row.passed { "✓ passed" } else { "**✗ missed**" },
            markdown(&row.data),
            markdown(&run),
        );
    }
    out
}

/// Text that stays within its cell and is no markup.
fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text).chars() {
        match c {
            '|' | '`' | '*' | '_' | '\\' | '[' | ']' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[1;31m";
const PLAIN: &str = "\u{1b}[0m";

/// The scoreboard as aligned text of at most `width` columns (at least 48), a heading per system; `color` adds
/// terminal colours. Claims that do not fit are wrapped, numbers never cut.
pub fn board_terminal(rows: &[BoardRow], width: usize, color: bool) -> String {
    let paint =
        |code: &str, text: &str| if color { format!("{code}{text}{PLAIN}") } else { text.to_string() };
    let width = width.max(48);
    let cells: Vec<Vec<[String; 3]>> = groups(rows)
        .iter()
        .map(|g| {
            g.iter()
                .map(|r| {
                    [
                        value::measured(r.value, r.interval, value::plain),
                        value::bar(&r.bar, value::plain),
                        r.paper.as_deref().map(clean).unwrap_or_default(),
                    ]
                })
                .collect()
        })
        .collect();
    let widest = |c: usize, most: usize| {
        cells.iter().flatten().map(|r| columns(&r[c])).filter(|w| *w <= most).max().unwrap_or(0).max(5)
    };
    let (measured, bar, mut paper) = (widest(0, 30), widest(1, 22), widest(2, 22));
    // "✓ " in front, two spaces between columns.
    let mut room = width.saturating_sub(2 + measured + bar + paper + 6);
    if room < 26 {
        paper = 0;
        room = width.saturating_sub(2 + measured + bar + 4);
    }
    let room = room.clamp(16, 72);
    let mut out = String::new();
    let mut head = format!("  {}  {}  {}", pad("claim", room), pad("measured", measured), pad("bar", bar));
    if paper > 0 {
        head += "  paper";
    }
    let _ = writeln!(out, "{}", paint(DIM, head.trim_end()));
    for (group, texts) in groups(rows).iter().zip(&cells) {
        let r = group[0];
        let number = if r.number > 0 { format!("{:02} ", r.number) } else { String::new() };
        let facts = [clean(&r.wing), clean(&r.data), clean(&r.profile), value::seeds(&r.seeds)];
        let facts = facts.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" · ");
        let name = shorten(&format!("{number}{}", clean(&r.system)), width);
        let facts = shorten(&facts, width.saturating_sub(columns(&name) + 2).max(1));
        let _ = writeln!(out, "\n{}  {}", paint(BOLD, &name), paint(DIM, &facts));
        for (row, [m, b, p]) in group.iter().zip(texts) {
            let speed = if row.speed { " (speed)" } else { "" };
            let lines = fold(&format!("{}{speed}", clean(&row.text)), room);
            let (sign, code) = if row.passed { ("✓", GREEN) } else { ("✗", RED) };
            let first = lines.first().map_or("", String::as_str);
            let mut line =
                format!("{} {}  {}  {}", paint(code, sign), pad(first, room), pad(m, measured), pad(b, bar));
            if paper > 0 {
                line += &format!("  {}", shorten(p, paper));
            }
            let _ = writeln!(out, "{}", line.trim_end());
            for more in lines.iter().skip(1) {
                let _ = writeln!(out, "  {more}");
            }
        }
    }
    let (systems, claims, passed) = counts(rows);
    let plural = |n: usize, noun: &str| if n == 1 { format!("{n} {noun}") } else { format!("{n} {noun}s") };
    let _ = writeln!(
        out,
        "\n{}, {}: {passed} passed, {} missed",
        plural(systems, "system"),
        plural(claims, "claim"),
        claims - passed
    );
    for row in groups(rows).into_iter().flatten().filter(|r| !r.passed) {
        let got = value::measured(row.value, None, value::plain);
        let bar = value::bar(&row.bar, value::plain);
        let text = format!("{}/{}: {got}, bar {bar}", clean(&row.system), clean(&row.claim));
        let _ = writeln!(out, "{} {}", paint(RED, "✗ missed"), fold(&text, width - 9).join("\n  "));
    }
    out
}

/// Terminal columns of a text.
fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

fn column(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}' => 2,
        _ => 1,
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

fn shorten(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_string();
    }
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        used += column(c);
        if used >= width {
            break;
        }
        out.push(c);
    }
    format!("{}…", out.trim_end())
}

/// Lines of at most `width` columns; longer words are shortened.
fn fold(text: &str, width: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = shorten(word, width);
        match out.last_mut() {
            Some(last) if columns(last) + 1 + columns(&word) <= width => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => out.push(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<BoardRow> {
        let row = |number, system: &str, claim: &str, value, passed| BoardRow {
            system: system.into(),
            number,
            wing: "compare".into(),
            claim: claim.into(),
            text: format!(
                "A rather long sentence about the {claim} that has to be folded on narrow terminals"
            ),
            paper: Some("0.98".into()),
            bar: ">= 0.95".into(),
            value,
            interval: value.map(|v| [v - 0.01, v + 0.01]),
            passed,
            data: "real".into(),
            profile: "quick".into(),
            seeds: vec![1, 2, 3],
            ..BoardRow::default()
        };
        vec![
            row(38, "hippocampal-cam", "recall", Some(0.97), true),
            row(9, "trsa", "rank|order", None, false),
            row(38, "hippocampal-cam", "speed", Some(0.96), true),
        ]
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [48, 60, 80, 100, 200] {
            let text = board_terminal(&rows(), width, false);
            let widest = text.lines().map(columns).max().unwrap();
            assert!(widest <= width, "{widest} > {width}\n{text}");
            assert!(!text.contains('\u{1b}'));
        }
        assert!(board_terminal(&rows(), 80, true).contains(RED));
    }

    #[test]
    fn systems_are_in_order_and_misses_are_named() {
        let text = board_terminal(&rows(), 100, false);
        assert!(text.find("09 trsa").unwrap() < text.find("38 hippocampal-cam").unwrap());
        assert_eq!(text.matches("38 hippocampal-cam").count(), 1);
        assert!(text.contains("2 systems, 3 claims: 2 passed, 1 missed"));
        assert!(text.ends_with("✗ missed trsa/rank|order: not finite, bar >= 0.95\n"));
    }

    #[test]
    fn a_markdown_cell_cannot_break_its_table() {
        let mut all = rows();
        all[0].text = "a | b\n<script> `x` *y*".into();
        let text = board_markdown(&all);
        assert_eq!(text.lines().count(), 5);
        assert!(text.contains("a \\| b &lt;script> \\`x\\` \\*y\\*"));
        assert!(text.contains("**✗ missed**") && text.contains("seeds 1-3"));
    }
}
