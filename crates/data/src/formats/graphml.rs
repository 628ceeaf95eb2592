//! GraphML graphs, as NetworkX, igraph and Gephi write them.
//!
//! Node data `name` or `label` (else the id), `area` or `region`, `type`, `kind` or `cell_type`; edge data `weight`
//! (else 1), `delay` or `delay_ms`, `kind` or `type`. An undirected graph becomes one edge each way.

use neuropil_core::connectome::Edge;
use neuropil_core::recording::Unit;
use neuropil_core::{Connectome, Error, Result, files};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

/// An edge of the file before its ends are resolved.
#[derive(Default)]
struct Link {
    source: String,
    target: String,
    weight: Option<f32>,
    delay_ms: f32,
    kind: String,
    directed: bool,
}

#[derive(Default)]
struct Graph {
    /// Key id -> attribute name.
    keys: HashMap<String, String>,
    nodes: Vec<(String, Unit)>,
    links: Vec<Link>,
    directed: bool,
    graphs: usize,
}

enum Place {
    Outside,
    Node,
    Link,
}

/// Parses a graph; nested graphs and hyperedges are refused.
pub fn parse(bytes: &[u8]) -> Result<Connectome> {
    let text = super::text::parse(bytes)?;
    let mut reader = Reader::from_str(&text);
    let mut graph = Graph::default();
    let mut place = Place::Outside;
    let mut data: Option<(String, String)> = None;
    let mut depth = 0_usize;
    loop {
        let at = reader.buffer_position();
        let damaged = |e: &dyn std::fmt::Display| {
            Error::input("well-formed GraphML", e.to_string()).at(format!("byte {at}"))
        };
        match reader.read_event().map_err(|e| damaged(&e))? {
            Event::Start(e) => {
                depth += 1;
                open(&mut graph, &mut place, &mut data, &e)?;
            }
            Event::Empty(e) => {
                open(&mut graph, &mut place, &mut data, &e)?;
                close(&mut graph, &mut place, &mut data, e.local_name().as_ref())?;
            }
            Event::End(e) => {
                depth = depth.saturating_sub(1);
                close(&mut graph, &mut place, &mut data, e.local_name().as_ref())?;
            }
            Event::Text(e) => {
                if let Some((_, value)) = &mut data {
                    value.push_str(&e.xml10_content());
                }
            }
            Event::CData(e) => {
                if let Some((_, value)) = &mut data {
                    value.push_str(&e.xml10_content());
                }
            }
            Event::GeneralRef(e) => {
                if let Some((_, value)) = &mut data {
                    value.push(resolve(&e)?);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if depth != 0 || graph.graphs == 0 {
        return Err(Error::input(
            "one whole <graph>",
            if depth > 0 { "a truncated file" } else { "no <graph>" },
        ));
    }
    finish(&graph)
}

/// A character or predefined entity reference; entities of a DTD are never expanded.
fn resolve(e: &quick_xml::events::BytesRef) -> Result<char> {
    let unknown = || Error::input("a predefined entity", format!("`&{};`", &**e));
    if let Some(c) = e.resolve_char_ref().map_err(|_e| unknown())? {
        return Ok(c);
    }
    Ok(match &**e {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return Err(unknown()),
    })
}

fn attribute(e: &BytesStart, name: &str) -> Result<Option<String>> {
    let damaged = |e: &dyn std::fmt::Display| Error::input("well-formed attributes", e.to_string());
    match e.try_get_attribute(name).map_err(|e| damaged(&e))? {
        None => Ok(None),
        Some(a) => Ok(Some(
            a.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|e| damaged(&e))?.into_owned(),
        )),
    }
}

fn needed(e: &BytesStart, name: &str) -> Result<String> {
    attribute(e, name)?.ok_or_else(|| {
        Error::input(format!("an attribute `{name}` of <{}>", e.local_name().as_ref()), "none")
    })
}

fn open(g: &mut Graph, place: &mut Place, data: &mut Option<(String, String)>, e: &BytesStart) -> Result<()> {
    match e.local_name().as_ref() {
        "key" => {
            let id = needed(e, "id")?;
            let name = attribute(e, "attr.name")?.unwrap_or_else(|| id.clone());
            g.keys.insert(id, name.to_ascii_lowercase());
        }
        "graph" => {
            g.graphs += 1;
            if g.graphs > 1 {
                return Err(Error::input("one <graph>", "several or nested ones"));
            }
            g.directed = attribute(e, "edgedefault")?.as_deref() != Some("undirected");
        }
        "hyperedge" => return Err(Error::input("edges between two nodes", "a hyperedge")),
        "node" => {
            let id = needed(e, "id")?;
            g.nodes.push((id.clone(), Unit::named(id)));
            *place = Place::Node;
        }
        "edge" => {
            let directed = attribute(e, "directed")?.map_or(g.directed, |d| d != "false");
            g.links.push(Link {
                source: needed(e, "source")?,
                target: needed(e, "target")?,
                directed,
                ..Link::default()
            });
            *place = Place::Link;
        }
        "data" => {
            let key = needed(e, "key")?;
            let name = g.keys.get(&key).cloned().unwrap_or_else(|| key.to_ascii_lowercase());
            *data = Some((name, String::new()));
        }
        _ => {}
    }
    Ok(())
}

fn close(g: &mut Graph, place: &mut Place, data: &mut Option<(String, String)>, tag: &str) -> Result<()> {
    match tag {
        "node" | "edge" => *place = Place::Outside,
        "data" => {
            let Some((name, value)) = data.take() else { return Ok(()) };
            let value = value.trim().to_string();
            let float = |v: &str| {
                v.parse::<f32>().ok().filter(|v| v.is_finite()).ok_or_else(|| {
                    Error::input(
                        format!("a finite number for `{name}`"),
                        format!("`{}`", v.chars().take(40).collect::<String>()),
                    )
                })
            };
            match (&place, name.as_str()) {
                (Place::Node, key) => {
                    if let Some((_, unit)) = g.nodes.last_mut() {
                        match key {
                            "name" | "label" => unit.name = value,
                            "area" | "region" => unit.area = Some(value),
                            "type" | "kind" | "cell_type" => unit.kind = Some(value),
                            _ => {}
                        }
                    }
                }
                (Place::Link, key) => {
                    if let Some(link) = g.links.last_mut() {
                        match key {
                            "weight" => link.weight = Some(float(&value)?),
                            "delay" | "delay_ms" => link.delay_ms = float(&value)?,
                            "kind" | "type" | "synapse" => link.kind = value,
                            _ => {}
                        }
                    }
                }
                (Place::Outside, _) => {}
            }
        }
        _ => {}
    }
    Ok(())
}

fn finish(g: &Graph) -> Result<Connectome> {
    let mut index: HashMap<&str, u32> = HashMap::with_capacity(g.nodes.len());
    for (i, (id, _)) in g.nodes.iter().enumerate() {
        if index.insert(id, i as u32).is_some() {
            return Err(Error::input("distinct node ids", format!("`{id}` twice")));
        }
    }
    let find = |id: &str| {
        index
            .get(id)
            .copied()
            .ok_or_else(|| Error::input("edges between nodes of the file", format!("node `{id}`")))
    };
    let mut kinds = KindTable::default();
    let mut edges = Vec::with_capacity(g.links.len());
    for link in &g.links {
        let edge = Edge {
            source: find(&link.source)?,
            target: find(&link.target)?,
            weight: link.weight.unwrap_or(1.0),
            delay_ms: link.delay_ms,
            kind: kinds.number(&link.kind)?,
        };
        edges.push(edge);
        if !link.directed && edge.source != edge.target {
            edges.push(Edge { source: edge.target, target: edge.source, ..edge });
        }
    }
    let units = g.nodes.iter().map(|(_, u)| u.clone()).collect();
    Connectome::new(units, kinds.names, edges)
}

/// Synapse kinds in order of appearance; an empty name becomes `synapse`.
#[derive(Default)]
pub(crate) struct KindTable {
    pub(crate) names: Vec<String>,
}

impl KindTable {
    pub(crate) fn number(&mut self, name: &str) -> Result<u8> {
        let name = if name.is_empty() { "synapse" } else { name };
        let at = self.names.iter().position(|n| n == name).unwrap_or_else(|| {
            self.names.push(name.to_string());
            self.names.len() - 1
        });
        u8::try_from(at).map_err(|_e| Error::input("at most 256 synapse kinds", "more"))
    }
}

/// The GraphML text of a connectome, which NetworkX reads.
pub fn encode(c: &Connectome) -> String {
    let mut out = String::from(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
        "<key id=\"name\" for=\"node\" attr.name=\"name\" attr.type=\"string\"/>\n",
        "<key id=\"area\" for=\"node\" attr.name=\"area\" attr.type=\"string\"/>\n",
        "<key id=\"type\" for=\"node\" attr.name=\"type\" attr.type=\"string\"/>\n",
        "<key id=\"weight\" for=\"edge\" attr.name=\"weight\" attr.type=\"double\"/>\n",
        "<key id=\"delay_ms\" for=\"edge\" attr.name=\"delay_ms\" attr.type=\"double\"/>\n",
        "<key id=\"kind\" for=\"edge\" attr.name=\"kind\" attr.type=\"string\"/>\n",
        "<graph edgedefault=\"directed\">\n",
    ));
    let text = |s: &str| quick_xml::escape::escape(s).into_owned();
    for (i, u) in c.units.iter().enumerate() {
        let _ = write!(out, "<node id=\"n{i}\"><data key=\"name\">{}</data>", text(&u.name));
        for (key, value) in [("area", &u.area), ("type", &u.kind)] {
            if let Some(v) = value {
                let _ = write!(out, "<data key=\"{key}\">{}</data>", text(v));
            }
        }
        out.push_str("</node>\n");
    }
    for e in c.edges() {
        let _ = writeln!(
            out,
            "<edge source=\"n{}\" target=\"n{}\"><data key=\"weight\">{}</data><data key=\"delay_ms\">{}</data><data key=\"kind\">{}</data></edge>",
            e.source,
            e.target,
            e.weight,
            e.delay_ms,
            text(&c.kinds[usize::from(e.kind)]),
        );
    }
    out.push_str("</graph>\n</graphml>\n");
    out
}

/// Writes a connectome atomically.
pub fn write(path: &Path, connectome: &Connectome) -> Result<()> {
    files::write_atomic(path, encode(connectome).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_edges_and_kinds_survive() -> Result<()> {
        let units = vec![Unit { area: Some("head".into()), ..Unit::named("A<&>\"") }, Unit::named("B")];
        let edge = |source, target, weight, kind| Edge { source, target, weight, delay_ms: 0.5, kind };
        let c = Connectome::new(
            units,
            vec!["chemical".into(), "gap".into()],
            vec![edge(0, 1, 0.1, 0), edge(1, 0, -2.0, 1)],
        )?;
        assert_eq!(parse(encode(&c).as_bytes())?, c);
        Ok(())
    }

    #[test]
    fn undirected_graphs_go_both_ways_and_entities_are_not_expanded() -> Result<()> {
        let g = "<graphml><graph edgedefault='undirected'><node id='a'/><node id='b'/><edge source='a' target='b'/></graph></graphml>";
        assert_eq!(parse(g.as_bytes())?.edges().len(), 2);
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><graphml><graph><node id='n'><data key='name'>&b;</data></node></graph></graphml>";
        assert!(parse(bomb.as_bytes()).is_err());
        assert!(parse(&g.as_bytes()[..g.len() - 20]).is_err());
        assert!(parse(g.replace("target='b'", "target='c'").as_bytes()).is_err());
        Ok(())
    }
}
