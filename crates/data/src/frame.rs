//! A table of named columns, as CSV and JSON lines hold it.

use neuropil_core::{Error, Result};

/// Cells that mean "missing"; they become NaN in a column of numbers.
const MISSING: [&str; 8] = ["", "na", "n/a", "nan", "null", "none", ".", "-"];

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Every cell is a number or missing (NaN).
    Numbers(Vec<f64>),
    /// Anything else, as written.
    Text(Vec<String>),
}

impl Column {
    /// Numbers where all cells are numbers or missing, text otherwise.
    pub fn from_cells(cells: Vec<String>) -> Self {
        let numbers: Option<Vec<f64>> = cells.iter().map(|c| number(c)).collect();
        numbers.map_or(Self::Text(cells), Self::Numbers)
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    /// True without cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers, if it is a column of numbers.
    pub fn numbers(&self) -> Option<&[f64]> {
        if let Self::Numbers(v) = self { Some(v) } else { None }
    }

    /// The cells as text; whole numbers without a decimal point.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Numbers(v) => v.iter().map(ToString::to_string).collect(),
            Self::Text(v) => v.clone(),
        }
    }
}

/// The number in a cell, NaN where it is missing, `None` where it is text.
pub fn number(cell: &str) -> Option<f64> {
    let cell = cell.trim();
    match cell.parse::<f64>() {
        Ok(v) => Some(v),
        Err(_) if cell.len() <= 4 && MISSING.contains(&cell.to_ascii_lowercase().as_str()) => Some(f64::NAN),
        Err(_) => None,
    }
}

/// Named columns of one length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// Columns in order of the file.
    pub columns: Vec<(String, Column)>,
    /// False where the file had no header and the names are `0`, `1`, ...
    pub has_header: bool,
}

impl Frame {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, c)| c.len())
    }

    /// The first column whose name is one of `names`, without regard to case.
    pub fn find(&self, names: &[&str]) -> Option<&Column> {
        self.position(names).map(|i| &self.columns[i].1)
    }

    /// The place of the first column whose name is one of `names`; earlier names win.
    pub fn position(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|n| self.columns.iter().position(|(c, _)| c.trim().eq_ignore_ascii_case(n)))
    }

    /// The numbers of the column that has one of `names`.
    pub fn require_numbers(&self, names: &[&str]) -> Result<&[f64]> {
        let column = self.find(names).ok_or_else(|| {
            Error::input(
                format!("a column `{}`", names.join("` or `")),
                format!("columns {:?}", self.names()),
            )
        })?;
        column.numbers().ok_or_else(|| Error::input(format!("numbers in column `{}`", names[0]), "text"))
    }

    /// Column names.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|(n, _)| n.as_str()).collect()
    }

    /// All columns as a row-major matrix (rows x columns); fails on a column of text.
    pub fn matrix(&self) -> Result<Vec<f64>> {
        let columns = self
            .columns
            .iter()
            .map(|(n, c)| {
                c.numbers().ok_or_else(|| {
                    let cell = c.texts().into_iter().find(|t| number(t).is_none()).unwrap_or_default();
                    Error::input("numbers in every column", format!("`{}` in column `{n}`", clip(&cell)))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((0..self.rows()).flat_map(|r| columns.iter().map(move |c| c[r])).collect())
    }
}

fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_cells_do_not_make_a_column_text() {
        let cells = |c: &[&str]| Column::from_cells(c.iter().map(ToString::to_string).collect());
        let Column::Numbers(v) = cells(&["1", " 2.5 ", "NA", ""]) else { panic!("numbers") };
        assert!(v[0] == 1.0 && v[1] == 2.5 && v[2].is_nan() && v[3].is_nan());
        assert!(matches!(cells(&["1", "x"]), Column::Text(_)));
    }
}
