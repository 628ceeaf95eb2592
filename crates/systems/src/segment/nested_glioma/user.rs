//! The method on the user's own cases: training, answers in the geometry of the input, agreement where the truth is known.

use super::cases::Case;
use super::experiment::{Course, train};
use super::files::{self, LevelMap, Read, Wanted};
use super::measures::{Score, answer, tune};
use super::segmenter::{Plan, Segmenter};
use super::{NestedGlioma, figures};
use neuropil_analysis::segmentation::lesions;
use neuropil_core::{Error, Result, Streams, Table, Volume, Weights};
use neuropil_data::formats::{gzip, nifti, png};
use neuropil_data::generated::NestedPhantom;
use neuropil_data::read;
use neuropil_experiment::{Inputs, Run};
use neuropil_math::statistics::mean;
use neuropil_nn::modules::segmentation::{Head, decode_at};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Growth and smallest volume (mm^3) of lesions, as in BraTS 2023.
const LESION: (usize, f64) = (3, 50.0);

/// What weights are saved with, so that they can be given back.
struct Origin {
    plan: Plan,
    modalities: Vec<String>,
    map: LevelMap,
}

impl Origin {
    fn save(&self, segmenter: &Segmenter, run: &mut Run) -> Result<()> {
        let mut weights = segmenter.parameters().to_weights()?;
        let plan = serde_json::to_value(&self.plan).map_err(|e| Error::Internal(e.to_string()))?;
        for (key, value) in [
            ("model", json!("nested-glioma")),
            ("plan", plan),
            ("modalities", json!(self.modalities)),
            ("levels", json!(self.map.pairs)),
            ("names", json!(self.map.names)),
        ] {
            weights.meta.insert(key.into(), value);
        }
        run.save("weights.safetensors", &weights)
    }

    fn read(path: &Path) -> Result<(Self, Weights)> {
        let weights = read::weights(path)?;
        let field = |name: &str| weights.meta.get(name).cloned().unwrap_or(serde_json::Value::Null);
        let attempt = || {
            let unfit = |_| {
                Error::input(
                    "weights that this system saved",
                    "a file without its plan, modalities and levels",
                )
                .hint("`weights.safetensors` of a run on labelled cases")
            };
            let plan: Plan = serde_json::from_value(field("plan")).map_err(unfit)?;
            let pairs = serde_json::from_value(field("levels")).map_err(unfit)?;
            let names = serde_json::from_value(field("names")).map_err(unfit)?;
            let modalities = serde_json::from_value(field("modalities")).map_err(unfit)?;
            // What is wrong with the plan of a file is wrong with the file.
            let damaged = |e: Error| Error::input("a sound plan in the weights", e.to_string());
            plan.check().map_err(damaged)?;
            Ok(Self { plan, modalities, map: LevelMap::new(pairs, Some(names))? })
        };
        let origin = attempt().map_err(|e: Error| e.at(path.display()))?;
        Ok((origin, weights))
    }
}

/// A read case with its levels.
struct Own {
    read: Read,
    case: Case,
}

impl Own {
    fn of(read: Read, map: &LevelMap) -> Result<Self> {
        let place = read.path.display().to_string();
        let mut volume = read.volume.clone();
        if let Some(labels) = &volume.labels {
            volume.labels = Some(map.levels_of(labels).map_err(|e| e.at(&place))?);
        }
        let case = Case::new(&read.name, &volume).map_err(|e| e.at(&place))?;
        Ok(Self { read, case })
    }
}

pub(super) fn apply(config: &NestedGlioma, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let origin = inputs.get("weights").map(Origin::read).transpose()?;
    let mut map = match (inputs.get("levels"), &origin) {
        (Some(path), _) => LevelMap::read(path)?,
        (None, Some((o, _))) => o.map.clone(),
        (None, None) => LevelMap::brats(),
    };
    let mut wanted = Wanted { modalities: config.modalities.clone(), labels: config.label_names.clone() };
    if let Some((o, _)) = &origin {
        wanted.modalities.clone_from(&o.modalities);
    }
    let labelled = files::cases(&inputs.all("train"), &mut wanted)?;
    if labelled.is_empty() && origin.is_none() {
        return Err(Error::config("labelled cases `train`, or `weights`", "neither").at("--input"));
    }
    let fresh = files::cases(&inputs.all("predict"), &mut wanted)?;
    let seen: Vec<u16> =
        labelled.iter().filter_map(|r| r.volume.labels.as_ref()).flatten().copied().collect();
    map.prefer(&seen);
    let own = |reads: Vec<Read>| reads.into_iter().map(|r| Own::of(r, &map)).collect::<Result<Vec<_>>>();
    let (labelled, fresh) = (own(labelled)?, own(fresh)?);
    let plan = plan_for(config, origin.as_ref().map(|o| &o.0), &map, &labelled, &fresh)?;
    let streams = run.streams();
    let mut segmenter = Segmenter::new(plan.clone(), &mut streams.stream("segmentation weights", 0))?;
    if let Some((_, weights)) = &origin {
        segmenter.parameters_mut().load(weights).map_err(|e| e.at("weights"))?;
    }
    let mut answers = Answers::new(&map);
    let names: Vec<&str> = wanted.modalities.iter().map(String::as_str).collect();
    run.note(format!("Channels: {}. Regions, outermost first: {}.", names.join(", "), map.names.join(", ")));
    if !labelled.is_empty() {
        learn(config, run, &mut segmenter, labelled, &mut answers)?;
        Origin { plan, modalities: wanted.modalities.clone(), map: map.clone() }.save(&segmenter, run)?;
    }
    for (k, own) in fresh.iter().enumerate() {
        answers.add(run, &segmenter, own, (k == 0).then_some("slices_new"))?;
    }
    answers.finish(run)
}

/// The network for these cases: as configured, or as the weights were trained.
fn plan_for(
    config: &NestedGlioma,
    origin: Option<&Origin>,
    map: &LevelMap,
    labelled: &[Own],
    fresh: &[Own],
) -> Result<Plan> {
    let all = || labelled.iter().chain(fresh);
    let Some(first) = all().next() else {
        return Err(Error::input("cases to learn from or to answer for", "none").at("--input"));
    };
    let mut plan = match (config.methods.first(), origin) {
        (_, Some(o)) => o.plan.clone(),
        (Some(method), None) => Plan {
            levels: map.levels(),
            channels: first.case.channels,
            axes: if all().all(|o| o.case.grid.shape[0] == 1) { 2 } else { 3 },
            ..config.plan(*method)
        },
        (None, None) => return Err(Error::config("at least 1 method", "none").at("methods")),
    };
    // Training may go on with other settings; the network stays.
    if origin.is_some() {
        let now = config.plan(plan.method);
        plan = Plan {
            rate: now.rate,
            rate_decay: now.rate_decay,
            weight_decay: now.weight_decay,
            batch: now.batch,
            loss: now.loss,
            augment: now.augment,
            ..plan
        };
    }
    plan.check()?;
    if plan.levels != map.levels() {
        return Err(Error::input(
            format!("a map of {} levels, as in the weights", plan.levels),
            map.levels().to_string(),
        )
        .at("levels"));
    }
    let factor = 1 << (plan.filters.len() - 1);
    for own in all() {
        let place = own.read.path.display();
        let shape = own.case.grid.shape;
        if own.case.channels != plan.channels {
            return Err(Error::input(
                format!("{} channels, as the first case", plan.channels),
                own.case.channels.to_string(),
            )
            .at(place));
        }
        let small = (0..3).find(|a| shape[*a] < factor && !(*a == 0 && plan.axes == 2));
        if small.is_some() || (plan.axes == 2 && shape[0] != 1) {
            let want = if plan.axes == 2 {
                format!("single slices of at least {factor} x {factor} pixels")
            } else {
                format!(
                    "at least {factor} voxels along each axis, for {} levels of filters",
                    plan.filters.len()
                )
            };
            return Err(Error::input(want, format!("shape {shape:?}"))
                .at(place)
                .hint("fewer `filters` make a network for smaller volumes"));
        }
    }
    for own in labelled {
        if own.case.levels.is_empty() {
            return Err(Error::input("labels in every case to learn from", "none")
                .at(own.read.path.display())
                .hint(
                    "cases without labels go to `--input predict=..`; `label_names` are the names looked for",
                ));
        }
    }
    if let Some(m) = (1..=plan.levels as u16)
        .find(|m| !labelled.is_empty() && !labelled.iter().any(|o| o.case.levels.contains(m)))
    {
        return Err(Error::input(
            format!("a voxel of level {m} (`{}`) in some case to learn from", map.names[usize::from(m) - 1]),
            "none",
        )
        .hint("leave the level out of the map"));
    }
    Ok(plan)
}

/// Trains on the labelled cases, some of them held out and answered for.
fn learn(
    config: &NestedGlioma,
    run: &mut Run,
    segmenter: &mut Segmenter,
    labelled: Vec<Own>,
    answers: &mut Answers,
) -> Result<()> {
    let streams = run.streams();
    let n = labelled.len();
    let held = if n < 2 { 0 } else { ((config.hold_out * n as f64).ceil() as usize).min(n - 1) };
    let mut order = streams.stream("cases held out", 0).permutation(n);
    // A level that only one case has must stay among those that are learnt.
    let levels = segmenter.plan.levels as u16;
    let rare = |k: usize| {
        (1..=levels).any(|m| labelled.iter().enumerate().all(|(j, o)| (j == k) == o.case.levels.contains(&m)))
    };
    order.sort_by_key(|k| rare(*k));
    let out: Vec<usize> = order.into_iter().take(held).collect();
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    for (k, own) in labelled.into_iter().enumerate() {
        if out.contains(&k) { validation.push(own) } else { training.push(own) }
    }
    let of = |own: &[Own]| own.iter().map(|o| o.case.clone()).collect::<Vec<_>>();
    let (cases, looked) = (of(&training), of(&validation));
    let names = answers.map.names.clone();
    let begin = segmenter.parameters().values().to_vec();
    let course = Course {
        training: &cases,
        validation: &looked,
        steps: config.steps,
        look_every: config.look_every,
        regions: &names,
        networks: &[segmenter.plan.method.name().to_string()],
    };
    let trained = run
        .stage("training", |run| train(run, std::slice::from_mut(segmenter), &course, streams, "training"))?;
    let Some(trained) = trained.into_iter().next() else { return Err(Error::Internal("no training".into())) };
    segmenter.parameters_mut().values_mut().copy_from_slice(&trained.last);
    run.figure(figures::loss(&trained.looks, &answers.map.names, held > 0));
    if held > 0 {
        run.note(format!(
            "{held} of {n} labelled cases were held out: {}. Their numbers are those of the network trained on the \
             others.",
            looked.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ")
        ));
        let head = segmenter.head();
        let regions =
            looked.iter().map(|c| Ok(head.regions(&segmenter.maps(c)?))).collect::<Result<Vec<_>>>()?;
        answers.thresholds = Some(tune(&regions, &looked, segmenter.plan.levels)?);
        for (k, own) in validation.iter().enumerate() {
            answers.add(run, segmenter, own, (k == 0).then_some("slices"))?;
        }
    } else {
        run.note("One labelled case: nothing was held out, so that nothing is known about other cases.");
        for own in &training {
            answers.add(run, segmenter, own, Some("slices"))?;
        }
    }
    if config.retrain && held > 0 {
        let all = [cases.as_slice(), &looked].concat();
        let course = Course { training: &all, validation: &[], ..course };
        segmenter.parameters_mut().values_mut().copy_from_slice(&begin);
        let again = run.stage("training on all", |run| {
            train(run, std::slice::from_mut(segmenter), &course, streams, "training on all")
        })?;
        if let Some(t) = again.first() {
            segmenter.parameters_mut().values_mut().copy_from_slice(&t.last);
        }
        run.note("The weights that are saved, and answers for new cases, come from a second training on all labelled cases.");
    }
    Ok(())
}

/// What is said of cases, collected.
struct Answers {
    map: LevelMap,
    /// Tuned thresholds of probabilities.
    thresholds: Option<Vec<f64>>,
    csv: String,
    table: Table,
    scores: Vec<Score>,
    tuned: Vec<Vec<f64>>,
}

impl Answers {
    fn new(map: &LevelMap) -> Self {
        let columns = [
            "case",
            "region",
            "Dice",
            "HD95 (mm)",
            "sensitivity",
            "specificity",
            "lesion-wise Dice",
            "volume (ml)",
            "true volume (ml)",
        ];
        Self {
            map: map.clone(),
            thresholds: None,
            csv: "case,region,dice,hd95_mm,mean_surface_distance_mm,sensitivity,specificity,lesion_dice,volume_ml,true_volume_ml,\
                  dice_tuned\n"
                .into(),
            table: Table::new("cases", "Cases and their regions", &columns),
            scores: Vec::new(),
            tuned: Vec::new(),
        }
    }

    /// Answers for a case and writes what was found.
    fn add(&mut self, run: &mut Run, segmenter: &Segmenter, own: &Own, shown: Option<&str>) -> Result<()> {
        let (case, head) = (&own.case, segmenter.head());
        let count = head.levels();
        run.stop_if_asked()?;
        let maps = segmenter.maps(case)?;
        let (levels, broken) = answer(&head, &maps);
        let [_, d, h, w] = own.read.volume.shape;
        let in_place = |values: Vec<f32>, labels: Option<Vec<u16>>| -> Result<Volume> {
            let mut v = Volume::new([1, d, h, w], values, own.read.volume.voxel_mm)?;
            v.affine = own.read.volume.affine;
            v.labels = labels;
            Ok(v)
        };
        let labels = levels.iter().map(|l| self.map.label_of(*l)).collect();
        let answer = in_place(vec![0.0; d * h * w], Some(labels))?;
        run.artifact(
            &format!("{}_labels.nii.gz", case.name),
            &gzip::compress(&nifti::encode_labels(&answer)?)?,
        )?;
        if let Head::MultiLevel { .. } = head {
            let a = maps.iter().map(|z| head.activation(f64::from(*z)).unwrap_or(f64::NAN) as f32).collect();
            let map = in_place(a, None)?;
            run.artifact(
                &format!("{}_activation.nii.gz", case.name),
                &gzip::compress(&nifti::encode(&map)?)?,
            )?;
        }
        let picture = figures::overlay(case, 0, &levels)?;
        run.artifact(&format!("{}_overlay.png", case.name), &png::encode(&picture)?)?;
        if let Some(name) = shown {
            run.figure(figures::slices(name, case, 0, &[("answer", &levels)]));
        }
        let ml = case.grid.voxel_volume() / 1000.0;
        if case.levels.is_empty() {
            for (m, region) in self.map.names.iter().enumerate() {
                let volume = levels.iter().filter(|l| usize::from(**l) > m).count() as f64 * ml;
                let _ = writeln!(self.csv, "\"{}\",\"{region}\",,,,,,,{volume:.6},,", case.name);
                let mut row = vec![case.name.clone(), region.clone()];
                row.extend(std::iter::repeat_n(String::new(), 5));
                row.extend([format!("{volume:.3}"), String::new()]);
                self.table.row(row);
            }
            return Ok(());
        }
        let score = Score::of(case, &levels, count, broken)?;
        let tuned = match &self.thresholds {
            Some(u) => super::measures::dice(&decode_at(&head.regions(&maps), u), &case.levels, count)?,
            None => Vec::new(),
        };
        for (m, (r, region)) in score.regions.iter().zip(&self.map.names).enumerate() {
            let level = m as u16 + 1;
            let found = lesions(
                &Case::region(&levels, level),
                &Case::region(&case.levels, level),
                &case.grid,
                LESION.0,
                LESION.1,
            )?;
            let lesion = found.mean_dice();
            let tuned = tuned.get(m).map_or(String::new(), |d| format!("{d:.6}"));
            let _ = writeln!(
                self.csv,
                "\"{}\",\"{region}\",{:.6},{:.6},{:.6},{:.6},{:.6},{lesion:.6},{:.6},{:.6},{tuned}",
                case.name, r.dice, r.hd95, r.surface, r.sensitivity, r.specificity, r.volume, r.truth
            );
            self.table.row([
                case.name.clone(),
                region.clone(),
                format!("{:.3}", r.dice),
                format!("{:.2}", r.hd95),
                format!("{:.3}", r.sensitivity),
                format!("{:.3}", r.specificity),
                format!("{lesion:.3}"),
                format!("{:.3}", r.volume),
                format!("{:.3}", r.truth),
            ]);
        }
        self.scores.push(score);
        if !tuned.is_empty() {
            self.tuned.push(tuned);
        }
        Ok(())
    }

    fn finish(self, run: &mut Run) -> Result<()> {
        run.artifact("cases.csv", self.csv.as_bytes())?;
        run.table(self.table);
        if !self.scores.is_empty() {
            let over = |f: &dyn Fn(&Score) -> f64| mean(&self.scores.iter().map(f).collect::<Vec<_>>());
            for (m, _) in self.map.names.iter().enumerate() {
                run.metric(&format!("dice_region_{}", m + 1), over(&|s| s.regions[m].dice));
                run.metric(&format!("hd95_region_{}", m + 1), over(&|s| s.regions[m].hd95));
                if !self.tuned.is_empty() {
                    let tuned = mean(&self.tuned.iter().map(|d| d[m]).collect::<Vec<_>>());
                    run.metric(&format!("dice_tuned_region_{}", m + 1), tuned);
                }
            }
            let changes: usize = self.scores.iter().map(|s| s.changes.0).sum();
            let skips: usize = self.scores.iter().map(|s| s.changes.1).sum();
            run.metric("jump_rate", skips as f64 / changes.max(1) as f64);
            run.metric("violations", self.scores.iter().map(|s| s.violations as f64).sum());
            run.figure(figures::case_dice(&self.scores, &self.map.names));
        }
        if let Some(u) = &self.thresholds {
            let text: Vec<String> = u.iter().map(|u| format!("{u:.2}")).collect();
            run.note(format!(
                "Thresholds of probabilities that are best on the cases held out: {}; labels are written at 0.5. Dice with \
                 them (`dice_tuned`) was tuned on the same cases and flatters.",
                text.join(", ")
            ));
        }
        Ok(())
    }
}

/// `cases/`: four phantoms as folders of NIfTI with labels as in BraTS; `new/`: one without; `levels.toml`.
pub(super) fn example(dir: &Path) -> Result<()> {
    let phantom = NestedPhantom::new(16);
    let streams = Streams::new(48);
    let mut map =
        String::from("# label = level, 0 for the background\nnames = [\"WT\", \"TC\", \"ET\"]\n\n[levels]\n");
    map.push_str("0 = 0\n2 = 1\n1 = 2\n4 = 3\n");
    neuropil_core::files::write_atomic(&dir.join("levels.toml"), map.as_bytes())?;
    for k in 0..5_u64 {
        let mut volume = phantom.draw(&mut streams.stream("example", k))?;
        volume.affine[0][3] = -8.0;
        let folder = if k < 4 {
            dir.join("cases").join(format!("case{}", k + 1))
        } else {
            dir.join("new").join("case5")
        };
        std::fs::create_dir_all(&folder).map_err(|e| Error::write(&folder, &e))?;
        let area = 16_usize.pow(3);
        for (c, name) in ["t1", "t1c", "t2", "flair"].iter().enumerate() {
            let mut one =
                Volume::new([1, 16, 16, 16], volume.values[c * area..(c + 1) * area].to_vec(), [1.0; 3])?;
            one.affine = volume.affine;
            nifti::write(&folder.join(format!("{name}.nii.gz")), &one)?;
        }
        if k < 4 {
            for l in volume.labels.iter_mut().flatten() {
                *l = [0, 2, 1, 4][usize::from(*l)];
            }
            let bytes = gzip::compress(&nifti::encode_labels(&volume)?)?;
            neuropil_core::files::write_atomic(&folder.join("seg.nii.gz"), &bytes)?;
        }
    }
    Ok(())
}
