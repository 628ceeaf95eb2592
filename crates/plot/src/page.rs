//! The frame, the look and the parts that all pages share.

use crate::figure;
use crate::ink::clean;
use crate::value;
use neuropil_core::{Figure, Table};

pub use crate::ink::escape;

/// Figures wider than this take a whole row of the grid.
const WIDE: f64 = 590.0;

const STYLE: &str = include_str!("page.css");

/// Cleaned and escaped text.
pub fn safe(text: &str) -> String {
    escape(&clean(text))
}

/// A whole document around `body`. The policy forbids scripts and anything from outside the file.
pub fn shell(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        safe(title)
    )
}

/// Passed or missed, told by sign, word and colour.
pub fn verdict(passed: bool) -> &'static str {
    if passed {
        "<span class=\"verdict ok\"><b>✓</b> passed</span>"
    } else {
        "<span class=\"verdict no\"><b>✗</b> missed</span>"
    }
}

/// A short labelled fact of the header; nothing when it is empty.
pub fn fact(name: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<li><span>{name}</span> {}</li>", safe(text)) }
}

/// `7 of 8 bars met`, marked.
pub fn tally(passed: usize, of: usize) -> String {
    let class = if passed == of { "ok" } else { "no" };
    let sign = if passed == of { "✓" } else { "✗" };
    let bars = if of == 1 { "bar" } else { "bars" };
    match of {
        0 => "<p class=\"tally\">no bars</p>".into(),
        _ => format!("<p class=\"tally {class}\"><b>{sign}</b> {passed} of {of} {bars} met</p>"),
    }
}

/// A link to a web address, or the plain text when it is something else.
pub fn source(text: &str) -> String {
    let text = clean(text);
    let web = (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(' ');
    if web { format!("<a href=\"{0}\">{0}</a>", escape(&text)) } else { escape(&text) }
}

/// A link to a file beside the page; none for anything that could lead elsewhere.
pub fn relative(link: &str) -> Option<String> {
    let link = clean(link);
    (!link.is_empty() && !link.contains(':') && !link.starts_with('/') && !link.starts_with('\\'))
        .then(|| escape(&link))
}

/// Letters, digits, `-` and `_`, for ids.
pub fn id(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// The figures in a grid; `names` without data become links to their files.
pub fn figures(prefix: &str, figures: &[Figure], names: &[String]) -> String {
    let mut out = String::from("<div class=\"figures\">\n");
    for figure in figures {
        let drawing = figure::inline(figure);
        let class = if drawing.width > WIDE { " class=\"wide\"" } else { "" };
        let caption = clean(&figure.caption);
        let caption = if caption.is_empty() { String::new() } else { format!("<p>{}</p>", escape(&caption)) };
        out += &format!(
            "<figure{class} id=\"{}-{}\">\n<h3>{}</h3>\n<div class=\"plot\">{}</div>\n<figcaption>{caption}</figcaption>\n</figure>\n",
            id(prefix),
            id(&figure.name),
            safe(&figure.title),
            drawing.text.trim_end(),
        );
    }
    out += "</div>\n";
    let missing: Vec<String> = names
        .iter()
        .filter(|n| !figures.iter().any(|f| **n == format!("figures/{}.svg", f.name)))
        .filter_map(|n| relative(n))
        .map(|link| format!("<li><a href=\"{link}\">{link}</a></li>"))
        .collect();
    if !missing.is_empty() {
        out += &format!("<ul class=\"files\">{}</ul>\n", missing.concat());
    }
    out
}

/// A table of texts; columns that hold only numbers are set to the right.
pub fn table(table: &Table) -> String {
    let numeric: Vec<bool> = (0..table.columns.len())
        .map(|c| {
            let cells = table.rows.iter().filter_map(|r| r.get(c)).filter(|t| !t.is_empty());
            !table.rows.is_empty() && cells.clone().count() > 0 && cells.into_iter().all(|t| is_number(t))
        })
        .collect();
    let class = |c: usize| if numeric.get(c) == Some(&true) { " class=\"number\"" } else { "" };
    let head: String =
        table.columns.iter().enumerate().map(|(c, t)| format!("<th{}>{}</th>", class(c), safe(t))).collect();
    let mut rows = String::new();
    for row in &table.rows {
        rows += "<tr>";
        for (c, cell) in row.iter().enumerate() {
            rows += &format!("<td{}>{}</td>", class(c), safe(cell));
        }
        rows += "</tr>\n";
    }
    let title = safe(&table.title);
    format!(
        "<section class=\"table\">\n<h3>{title}</h3>\n<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n"
    )
}

fn is_number(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['<', '>', '=', '±', ' ']).trim_end_matches('%').trim_end();
    text.replace('−', "-").parse::<f64>().is_ok()
}

/// A heading with the list below it; nothing for an empty list.
pub fn list(heading: &str, class: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|t| format!("<li>{t}</li>\n")).collect();
    format!("<section>\n<h2>{heading}</h2>\n<ul class=\"{class}\">\n{items}</ul>\n</section>\n")
}

/// `12.3 s`, `4 min 10 s`; nothing for zero.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds <= 0.0 {
        String::new()
    } else if seconds < 120.0 {
        format!("{} s", value::typographic((seconds * 10.0).round() / 10.0))
    } else {
        let s = seconds.round().min(1e12) as u64;
        match s / 3600 {
            0 => format!("{} min {} s", s / 60, s % 60),
            h => format!("{h} h {} min", s % 3600 / 60),
        }
    }
}
