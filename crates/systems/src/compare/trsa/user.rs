//! The method on a user's own responses or RDMs.

use super::experiment::{cells, measure};
use super::files::{Arranged, Content, Item, arrange, masked, masks, rdms, responses};
use super::figures;
use super::manifolds::Population;
use super::resampling::{degrees_of_freedom, resample_in_steps};
use super::summary::{Representations, Statistic, TOPOLOGY};
use super::Trsa;
use neuropil_analysis::mds::smacof;
use neuropil_analysis::rdm::{Comparison, NoiseCeiling, compare, noise_ceiling};
use neuropil_analysis::topology::{MAX_POINTS, Persistence};
use neuropil_core::{Array, Error, Result, Streams, Table, files};
use neuropil_data::formats::npy::{self, Value};
use neuropil_data::formats::npz;
use neuropil_experiment::{Inputs, Run};
use neuropil_math::statistics::{mean, percentile_interval};
use neuropil_math::{Matrix, sums};
use std::fmt::Write as _;
use std::path::Path;

/// Most representations or stimuli that are embedded in the plane.
const MAX_EMBEDDED: usize = 400;

pub(super) fn apply(config: &Trsa, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let items = read_items(config, inputs)?;
    // A file that is too small is told so before it is told that nothing in it varies.
    for item in &items {
        let stimuli = item.stimuli()?;
        if stimuli < 4 {
            return Err(Error::input("at least 4 stimuli", stimuli.to_string()).at(item.place()));
        }
    }
    let (items, skipped) = without_silent(items)?;
    let arranged = arrange(items)?;
    run.note(format!("Read as {}.", arranged.assumed));
    if !skipped.is_empty() {
        run.note(format!("Left out, because all stimuli have one response: {}.", skipped.join("; ")));
    }
    let all: Option<Vec<Matrix>> = arranged
        .items
        .iter()
        .map(|i| match &i.content {
            Content::Responses(x) => Some(x.clone()),
            Content::Rdm(_) => None,
        })
        .collect();
    let subjects = arranged.subjects.len();
    let items = &arranged.items;
    let rdms: Vec<Result<Vec<f64>>> =
        sums::map(items.len(), |k| items[k].rdm(config.dissimilarity).map_err(|e| e.at(items[k].place())));
    let r = Representations::from_rdms(rdms.into_iter().collect::<Result<_>>()?, subjects)?;
    let r = match all {
        Some(x) => r.with_responses(x),
        None => r,
    };
    run.metric("subjects", subjects as f64);
    run.metric("regions", r.regions() as f64);
    run.metric("stimuli", r.stimuli()? as f64);
    let statistics = usable(&r);
    save_statistics(&statistics, &r, &arranged, run)?;
    if subjects >= 3 && r.regions() >= 2 {
        identify(config, &r, &arranged, &statistics, run)?;
    } else {
        run.note(format!(
            "Identification needs at least 3 subjects with the same 2 or more regions and got {subjects} with {}; \
             regions are compared by their RDMs instead.",
            r.regions()
        ));
    }
    describe(&r, &arranged, run)?;
    compare_models(inputs, &r, &arranged, run)
}

fn read_items(config: &Trsa, inputs: &Inputs) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut regions = Vec::new();
    let mut shape = None;
    for path in inputs.all("masks") {
        let (own, found) = masks(path)?;
        if *shape.get_or_insert(own) != own {
            return Err(Error::input(format!("masks of one shape, {shape:?}"), format!("{own:?}")).at(path.display()));
        }
        regions.extend(found);
    }
    for path in inputs.all("responses") {
        items.extend(match shape {
            Some(shape) => masked(path, shape, &regions)?,
            None => responses(path, config.max_stimuli)?,
        });
    }
    for path in inputs.all("rdms") {
        items.extend(rdms(path)?);
    }
    if items.is_empty() {
        return Err(Error::config("`responses` or `rdms`", "neither").at("--input"));
    }
    for item in &items {
        if let Content::Responses(x) = &item.content {
            x.require_finite().map_err(|e| e.at(item.place()))?;
        }
    }
    Ok(items)
}

/// Regions of recordings may be silent: one that answers all stimuli alike in some subject is left out.
fn without_silent(items: Vec<Item>) -> Result<(Vec<Item>, Vec<String>)> {
    let silent = |i: &Item| match &i.content {
        Content::Responses(x) => (1..x.rows()).all(|k| x.row(k) == x.row(0)),
        Content::Rdm(_) => false,
    };
    let names: Vec<String> = items.iter().filter(|i| silent(i)).map(|i| i.region.clone()).collect();
    let (out, kept): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|i| names.contains(&i.region));
    match out.first() {
        Some(first) if kept.is_empty() => {
            Err(Error::input("responses that differ between stimuli", "the same response to all").at(first.place()))
        }
        _ => Ok((kept, out.iter().map(Item::place).collect())),
    }
}

/// The statistics that this input allows.
fn usable(r: &Representations) -> Vec<Statistic> {
    let varies = |x: &Matrix| {
        x.cols() >= 2 && x.row_iter().all(|v| v.iter().any(|a| (a - v[0]).abs() > 1e-12 * v[0].abs()))
    };
    Statistic::all()
        .into_iter()
        .filter(|s| match s {
            Statistic::Cka | Statistic::Procrustes => r.responses().is_some(),
            Statistic::RawCorrelation => r.responses().is_some_and(|x| x.iter().all(varies)),
            _ => true,
        })
        .collect()
}

/// `statistics.npz`: one matrix (subject-major regions x pairs) per vector statistic, and the names of its rows.
fn save_statistics(statistics: &[Statistic], r: &Representations, a: &Arranged, run: &mut Run) -> Result<()> {
    let rows: Vec<String> =
        a.subjects.iter().flat_map(|s| a.regions.iter().map(move |r| format!("{s}/{r}"))).collect();
    let mut values = vec![("rows".to_string(), Value::Strings(vec![rows.len()], rows))];
    for &s in statistics {
        if matches!(s, Statistic::Procrustes | Statistic::Cka) {
            continue;
        }
        let m = r.vectors(s)?;
        let single: Vec<f32> = m.data().iter().map(|v| *v as f32).collect();
        values.push((key(s), Value::Numbers(Array::from_f32(&[m.rows(), m.cols()], &single)?)));
    }
    run.artifact("statistics.npz", &npz::encode(&values)?)
}

/// A name for files and metrics: lower case, digits and `_`.
fn key(s: Statistic) -> String {
    let plain: String =
        s.name().to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    plain.split('_').filter(|p| !p.is_empty()).collect::<Vec<_>>().join("_")
}

/// Accuracy of every statistic with bootstrap intervals, the map over (l, u), confusions.
fn identify(
    config: &Trsa,
    r: &Representations,
    a: &Arranged,
    statistics: &[Statistic],
    run: &mut Run,
) -> Result<()> {
    let cells = cells(config.grid_steps);
    let found = run.stage("identify", |_| measure(r, statistics, &cells))?;
    // Choosing needs 4 subjects.
    let nested_cells = if found.nested.is_finite() { cells.as_slice() } else { &[] };
    let bar = run.progress("bootstrap", u64::from(config.bootstraps));
    let purpose = ("user bootstrap", &bar);
    let count = config.bootstraps as usize;
    let boot = resample_in_steps(run, purpose, r, &Statistic::RANKED, nested_cells, count)?;
    let df = degrees_of_freedom(r.subjects(), r.stimuli()?);
    let marked = boot.like_the_best(&found.cells, df)?;
    let mut table = Table::new(
        "accuracy",
        "Share of regions recognised in a subject left out",
        &["statistic", "accuracy", "95 % from", "to", "separability ratio"],
    );
    let ends = |interval: Option<(f64, f64)>| {
        interval.map_or([String::new(), String::new()], |(a, b)| [format!("{a:.3}"), format!("{b:.3}")])
    };
    let mut csv = String::from("statistic,accuracy,low,high,separability_ratio\n");
    let mut bars = Vec::new();
    for (k, s) in statistics.iter().enumerate() {
        let ranked = Statistic::RANKED.iter().position(|t| t == s);
        let interval = ranked.and_then(|k| boot.interval(k));
        let [low, high] = ends(interval);
        let (accuracy, ratio) = (format!("{:.3}", found.fixed[k]), format!("{:.3}", found.separability[k]));
        let _ = writeln!(csv, "\"{}\",{accuracy},{low},{high},{ratio}", s.name());
        table.row([s.name(), accuracy, low, high, ratio]);
        run.metric(&format!("accuracy_{}", key(*s)), found.fixed[k]);
        bars.push((s.name(), found.fixed[k], interval));
    }
    if found.nested.is_finite() {
        let interval = percentile_interval(&boot.nested, 0.95).ok();
        let [low, high] = ends(interval);
        let accuracy = format!("{:.3}", found.nested);
        let name = "(l, u) chosen on other subjects";
        let _ = writeln!(csv, "\"{name}\",{accuracy},{low},{high},");
        table.row([name.to_string(), accuracy, low, high, String::new()]);
        run.metric("accuracy_nested", found.nested);
        bars.push((name.into(), found.nested, interval));
    } else {
        run.note("Choosing (l, u) on other subjects needs at least 4 subjects; the map below is not cross-validated.");
    }
    run.table(table);
    run.artifact("accuracy.csv", csv.as_bytes())?;
    let mut grid = String::from("l,u,accuracy,like_the_best\n");
    for (k, ((l, u), v)) in cells.iter().zip(&found.cells).enumerate() {
        let _ = writeln!(grid, "{l},{u},{v},{}", u8::from(marked.contains(&k)));
    }
    run.artifact("accuracy_map.csv", grid.as_bytes())?;
    let chance = 1.0 / r.regions() as f64;
    run.figure(figures::accuracy_bars(&bars, chance));
    run.figure(figures::accuracy_map("accuracy_map", &[("all subjects".into(), found.cells.clone(), marked)], &cells, config.grid_steps));
    let mut confusions = vec![("rank RDM", found.confusion[0].as_slice())];
    if !found.confusion[1].is_empty() {
        confusions.push(("(l, u) chosen", found.confusion[1].as_slice()));
    }
    run.figure(figures::confusion("confusion", &confusions, &a.regions));
    let resamples = boot.len();
    run.note(format!(
        "Intervals are the central 95 % of {resamples} resamples of subjects and stimuli, the same for every statistic."
    ));
    Ok(())
}

/// What the representations look like: RDMs, their arrangement in the plane, components and loops.
fn describe(r: &Representations, a: &Arranged, run: &mut Run) -> Result<()> {
    let n = a.items.len();
    let names: Vec<String> = a.items.iter().map(|i| match &i.subject {
        Some(s) if a.subjects.len() > 1 => format!("{s}/{}", i.region),
        _ => i.region.clone(),
    }).collect();
    let rank = r.vectors(Statistic::Rank)?;
    let topology = r.vectors(TOPOLOGY)?;
    let mut table = Table::new(
        "similarity",
        "Rank correlation of the RDMs of all pairs of representations",
        &["first", "second", "Spearman", "distance of topology-sensitive matrices"],
    );
    let mut csv = String::from("first,second,spearman,topology_distance\n");
    for i in 0..n {
        for j in i + 1..n {
            let rho = compare(rank.row(i), rank.row(j), Comparison::Spearman)?;
            let d = (sums::squared_distance(topology.row(i), topology.row(j)) / topology.cols() as f64).sqrt();
            let _ = writeln!(csv, "\"{}\",\"{}\",{rho:.6},{d:.6}", names[i], names[j]);
            if table.rows.len() < 60 {
                table.row([names[i].clone(), names[j].clone(), format!("{rho:.3}"), format!("{d:.3}")]);
            }
        }
    }
    if n > 1 {
        run.artifact("similarity.csv", csv.as_bytes())?;
        run.table(table);
    }
    if (4..=MAX_EMBEDDED).contains(&n) {
        let planes = [("rank RDM", &rank), ("topology sensitive", &topology)]
            .into_iter()
            .map(|(name, v)| {
                let d = neuropil_math::distances::pairwise(v, neuropil_math::distances::Metric::Euclidean)?;
                Ok((name, smacof(&d, 2, 300, 1e-6)?))
            })
            .collect::<Result<Vec<_>>>()?;
        run.figure(figures::plane(&planes, &a.regions));
    }
    let stimuli = r.stimuli()?;
    let shown: Vec<(String, Vec<f64>, Vec<f64>)> = (0..a.regions.len().min(6))
        .map(|k| (names[k].clone(), rank.row(k).to_vec(), topology.row(k).to_vec()))
        .collect();
    if stimuli <= MAX_EMBEDDED {
        run.figure(figures::matrices("matrices", &shown)?);
        let planes = shown
            .iter()
            .map(|(name, rank, _)| Ok((name.as_str(), smacof(rank, 2, 300, 1e-6)?)))
            .collect::<Result<Vec<_>>>()?;
        run.figure(figures::stimuli(&planes));
    }
    if stimuli <= MAX_POINTS {
        let curves = shown
            .iter()
            .map(|(name, rank, _)| {
                let p = Persistence::new(rank)?;
                let at = |k: usize| p.betti(0.01 * k as f64);
                Ok((name.clone(), (0..=100).map(at).collect::<Vec<_>>()))
            })
            .collect::<Result<Vec<_>>>()?;
        run.figure(figures::betti(&curves));
    }
    Ok(())
}

/// Representational similarity analysis proper: candidate RDMs against every region, with the noise ceiling.
fn compare_models(inputs: &Inputs, r: &Representations, a: &Arranged, run: &mut Run) -> Result<()> {
    let mut models = Vec::new();
    for path in inputs.all("models") {
        for item in rdms(path)? {
            if item.stimuli()? != r.stimuli()? {
                return Err(Error::input(
                    format!("a model of {} stimuli, as in the responses", r.stimuli()?),
                    item.stimuli()?.to_string(),
                )
                .at(path.display()));
            }
            let name = item.subject.as_ref().map_or(item.region.clone(), |s| format!("{s} {}", item.region));
            let rdm = item.rdm(neuropil_analysis::rdm::Dissimilarity::Euclidean).map_err(|e| e.at(path.display()))?;
            models.push((name, rdm));
        }
    }
    if models.is_empty() {
        return Ok(());
    }
    let rdms: Vec<Vec<f64>> = r.rdms().map(<[f64]>::to_vec).collect();
    let mut table = Table::new(
        "models",
        "Rank correlation of model and measured RDMs, mean of subjects",
        &["region", "model", "Spearman", "noise ceiling from", "to"],
    );
    let mut panels = Vec::new();
    for (k, region) in a.regions.iter().enumerate() {
        let own: Vec<Vec<f64>> = (0..r.subjects()).map(|s| rdms[s * r.regions() + k].clone()).collect();
        let ceiling: Option<NoiseCeiling> =
            if own.len() > 1 { Some(noise_ceiling(&own, Comparison::Spearman)?) } else { None };
        let mut bars = Vec::new();
        for (name, model) in &models {
            let each = own.iter().map(|d| compare(model, d, Comparison::Spearman)).collect::<Result<Vec<_>>>()?;
            let value = mean(&each);
            let ends = ceiling.map_or([String::new(), String::new()], |c| {
                [format!("{:.3}", c.lower), format!("{:.3}", c.upper)]
            });
            let [low, high] = ends;
            table.row([region.clone(), name.clone(), format!("{value:.3}"), low, high]);
            bars.push((name.clone(), value));
        }
        panels.push((region.clone(), bars, ceiling));
    }
    run.table(table);
    run.figure(figures::models(&panels));
    Ok(())
}

/// `responses.npy` [subjects, regions, stimuli, units] of synthetic regions, and `model.csv`, the RDM of a ring.
pub(super) fn example(dir: &Path) -> Result<()> {
    let population = Population { subjects: 5, stimuli: 16, units: 12, bend: 0.5 };
    let responses = population.draw(Streams::new(9))?.noisy(0.5);
    let values: Vec<f32> = responses.iter().flat_map(|x| x.data().iter().map(|v| *v as f32)).collect();
    let regions = responses.len() / population.subjects;
    npy::write(
        &dir.join("responses.npy"),
        &Array::from_f32(&[population.subjects, regions, population.stimuli, population.units], &values)?,
    )?;
    let mut model = String::new();
    for i in 0..population.stimuli {
        let row: Vec<String> = (0..population.stimuli)
            .map(|j| i.abs_diff(j).min(population.stimuli - i.abs_diff(j)).to_string())
            .collect();
        model.push_str(&row.join(","));
        model.push('\n');
    }
    files::write_atomic(&dir.join("model.csv"), model.as_bytes())
}
