//! Configuration: one definition gives defaults, TOML with comments, `--set`, and errors that name the field.

use neuropil_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Write as _;
use std::path::Path;
use toml::{Table, Value};

/// A configuration as a TOML table.
pub fn to_table<T: Serialize>(config: &T) -> Result<Table> {
    Table::try_from(config).map_err(|e| Error::Internal(format!("configuration: {e}")))
}

/// A configuration from a complete table; wrong fields are named.
pub fn from_table<T: DeserializeOwned>(table: Table) -> Result<T> {
    table.try_into().map_err(|e: toml::de::Error| explain(&e))
}

/// Turns a serde message into expected/got/field.
fn explain(e: &toml::de::Error) -> Error {
    let text = e.to_string();
    let place = text.rsplit_once("in `").map(|(_, f)| f.trim().trim_matches('`').to_string());
    let first = text.lines().next().unwrap_or_default().to_string();
    let error = if let Some((got, expected)) = first.split_once(", expected ") {
        let got = got.trim_start_matches("invalid type: ").trim_start_matches("invalid value: ");
        Error::config(expected, got)
    } else {
        Error::config("a valid configuration", first)
    };
    match place {
        Some(field) => error.at(field),
        None => error,
    }
}

/// Lays `over` onto `base`, tables merged, everything else replaced. Keys that `base` does not know are an error
/// unless they are optional fields of the schema (checked when the table is parsed).
pub fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(b)), Value::Table(o)) => merge(b, o),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Reads a TOML file.
pub fn read_file(path: &Path) -> Result<Table> {
    let bytes = neuropil_core::files::read_limited(path, 1 << 20)
        .map_err(|e| Error::config("a readable configuration file", e.to_string()))?;
    let text = String::from_utf8(bytes)
        .map_err(|e| Error::config("UTF-8 text", e.to_string()).at(path.display()))?;
    text.parse::<Table>()
        .map_err(|e| Error::config("a TOML file", e.to_string().trim().replace('\n', " ")).at(path.display()))
}

/// Applies one `key=value`; dots descend into tables, the value is TOML or else a bare text.
pub fn set(table: &mut Table, assignment: &str) -> Result<()> {
    let (key, text) = assignment
        .split_once('=')
        .ok_or_else(|| Error::config("key=value", format!("`{assignment}`")).at("--set"))?;
    let parsed = format!("v = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    let value = parsed.unwrap_or_else(|| Value::String(text.into()));
    let mut here = table;
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        here = here
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(|| Error::config("a section", format!("the value `{part}`")).at(key))?;
    }
    // `--set lr=1` for a float field: TOML keeps integers and floats apart, people do not.
    let value = match (here.get(last), value) {
        (Some(Value::Float(_)), Value::Integer(i)) => Value::Float(i as f64),
        (_, v) => v,
    };
    here.insert(last.into(), value);
    Ok(())
}

/// Applies `NEUROPIL_SET_<KEY>=value` variables (upper case; a double underscore stands for a dot), sorted by name.
pub fn set_from_env(table: &mut Table, vars: impl Iterator<Item = (String, String)>) -> Result<()> {
    let mut found: Vec<(String, String)> = vars
        .filter_map(|(k, v)| {
            k.strip_prefix("NEUROPIL_SET_").map(|k| (k.to_lowercase().replace("__", "."), v))
        })
        .collect();
    found.sort();
    found.iter().try_for_each(|(k, v)| set(table, &format!("{k}={v}")))
}

/// Adds a hint with the nearest known field to an unknown-field error.
pub fn with_nearest_field(error: Error, known: &Table) -> Error {
    let Some(m) = error.mismatch() else { return error };
    let Some(name) = m.got.strip_prefix("unknown field `").and_then(|s| s.split('`').next()) else {
        return error;
    };
    let mut names = Vec::new();
    collect_names(known, "", &mut names);
    match crate::inputs::nearest(name, names.iter().map(String::as_str)).first() {
        Some(best) => {
            let hint = format!("did you mean `{best}`? `neuropil show SYSTEM --config` lists all fields");
            error.hint(hint)
        }
        None => error.hint("`neuropil show SYSTEM --config` lists all fields"),
    }
}

/// What `table` has different from `preset`, as sorted `key=value`.
pub fn differences(preset: &Table, table: &Table) -> Vec<String> {
    let mut before = Vec::new();
    let mut after = Vec::new();
    leaves(preset, "", &mut before);
    leaves(table, "", &mut after);
    after.retain(|line| !before.contains(line));
    after.sort_unstable();
    after
}

fn leaves(table: &Table, prefix: &str, out: &mut Vec<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => leaves(inner, &path, out),
            _ => out.push(format!("{path}={value}")),
        }
    }
}

fn collect_names(table: &Table, prefix: &str, out: &mut Vec<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let Value::Table(inner) = value {
            collect_names(inner, &path, out);
        }
        out.push(path);
    }
}

/// TOML text in which the doc comment of each field stands above it.
pub fn commented(table: &Table, schema: &serde_json::Value) -> String {
    let mut out = String::new();
    section(&mut out, table, schema, schema, "");
    out
}

fn section(
    out: &mut String,
    table: &Table,
    schema: &serde_json::Value,
    root: &serde_json::Value,
    path: &str,
) {
    let properties = &resolve(schema, root)["properties"];
    let comment = |out: &mut String, key: &str| {
        if let Some(text) = properties[key]["description"].as_str() {
            for line in text.lines() {
                let _ = writeln!(out, "# {}", line.trim());
            }
        }
    };
    for (key, value) in table.iter().filter(|(_, v)| !v.is_table()) {
        comment(out, key);
        let _ = writeln!(out, "{key} = {value}\n");
    }
    for (key, value) in table {
        if let Value::Table(inner) = value {
            let inner_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            comment(out, key);
            let _ = writeln!(out, "[{inner_path}]");
            section(out, inner, &properties[key.as_str()], root, &inner_path);
        }
    }
    // Optional fields without a value are shown as comments so that they can be found.
    if let Some(all) = properties.as_object() {
        for key in all.keys().filter(|k| !table.contains_key(*k)) {
            comment(out, key);
            let _ = writeln!(out, "# {key} =\n");
        }
    }
}

/// Follows `$ref` and single-element `allOf`/`anyOf` wrappers.
fn resolve<'a>(mut schema: &'a serde_json::Value, root: &'a serde_json::Value) -> &'a serde_json::Value {
    for _ in 0..8 {
        if let Some(pointer) = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
            schema = root.pointer(pointer).unwrap_or(&serde_json::Value::Null);
        } else if let Some(first) = schema["allOf"].get(0).or_else(|| schema["anyOf"].get(0)) {
            schema = first;
        } else {
            break;
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde::Deserialize;

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Demo {
        /// Learning rate, per step.
        lr: f64,
        /// Steps.
        steps: usize,
        /// Inner part.
        inner: Inner,
    }

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        /// Depth of it.
        depth: u32,
    }

    impl Default for Demo {
        fn default() -> Self {
            Self { lr: 0.1, steps: 3, inner: Inner { depth: 2 } }
        }
    }

    #[test]
    fn set_merges_types_and_sections() -> Result<()> {
        let mut t = to_table(&Demo::default())?;
        set(&mut t, "lr=1")?;
        set(&mut t, "inner.depth=7")?;
        set_from_env(&mut t, [("NEUROPIL_SET_STEPS".to_string(), "9".to_string())].into_iter())?;
        assert_eq!(differences(&to_table(&Demo::default())?, &t), ["inner.depth=7", "lr=1.0", "steps=9"]);
        let d: Demo = from_table(t)?;
        assert_eq!((d.lr, d.inner.depth, d.steps), (1.0, 7, 9));
        Ok(())
    }

    #[test]
    fn errors_name_the_field() -> Result<()> {
        let base = to_table(&Demo::default())?;
        let mut t = base.clone();
        set(&mut t, "stpes=4")?;
        let e = with_nearest_field(from_table::<Demo>(t).expect_err("unknown"), &base);
        assert!(e.mismatch().and_then(|m| m.hint.clone()).is_some_and(|h| h.contains("`steps`")), "{e:?}");
        let mut t = base.clone();
        set(&mut t, "inner.depth=deep")?;
        let e = from_table::<Demo>(t).expect_err("type");
        assert!(e.to_string().contains("depth"), "{e}");
        assert_eq!(e.exit_code(), 2);
        assert!(set(&mut base.clone(), "novalue").is_err());
        Ok(())
    }

    #[test]
    fn comments_come_from_the_docs_and_the_text_parses_back() -> Result<()> {
        let text = commented(&to_table(&Demo::default())?, &schemars::schema_for!(Demo).to_value());
        assert!(
            text.contains("# Learning rate, per step.\nlr = 0.1")
                && text.contains("# Depth of it.\ndepth = 2"),
            "{text}"
        );
        let back: Demo = from_table(text.parse::<Table>().expect("TOML"))?;
        assert_eq!(back.inner.depth, 2);
        Ok(())
    }
}
